// Where the numbers of a frozen weight live: a range of bytes in a file, or an array in memory. An engine maps the file; nothing is read here.
import type { TypedArray, ValueType } from './types.ts';

/** Bytes `offset .. offset + byteLength` of `path` hold the tensor, little-endian, row-major, in `dtype`. */
export interface FileWeight extends ValueType {
  readonly kind: 'file';
  readonly path: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** The tensor is in memory; bfloat16 and float16 are held as the bits in a Uint16Array. */
export interface MemoryWeight extends ValueType {
  readonly kind: 'memory';
  readonly data: TypedArray;
}

export type WeightSource = FileWeight | MemoryWeight;
