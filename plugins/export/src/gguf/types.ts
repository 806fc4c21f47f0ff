// The tensor types of GGUF that are written: numbers and bytes of a block, and the encoder.
// quantization.ts chooses among them.
import { toFloat16 } from '@lmflow/sdk/formats';
import { encodeQ4K, encodeQ6K } from './blocks/k.ts';
import { encodeQ40, encodeQ80 } from './blocks/simple.ts';

export interface TensorType {
  readonly name: string;
  /** The type's id in ggml. */
  readonly id: number;
  /** Numbers of a row that are encoded together; a row is a whole number of blocks. */
  readonly block: number;
  /** Bytes of a block. */
  readonly bytes: number;
  encode(numbers: Float32Array): Uint8Array;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

export const TENSOR_TYPES = {
  F32: { name: 'F32', id: 0, block: 1, bytes: 4, encode: bytesOf },
  F16: { name: 'F16', id: 1, block: 1, bytes: 2, encode: (numbers) => bytesOf(toFloat16(numbers)) },
  Q4_0: { name: 'Q4_0', id: 2, block: 32, bytes: 18, encode: encodeQ40 },
  Q8_0: { name: 'Q8_0', id: 8, block: 32, bytes: 34, encode: encodeQ80 },
  Q4_K: { name: 'Q4_K', id: 12, block: 256, bytes: 144, encode: encodeQ4K },
  Q6_K: { name: 'Q6_K', id: 14, block: 256, bytes: 210, encode: encodeQ6K },
} as const satisfies Readonly<Record<string, TensorType>>;

export type TensorTypeName = keyof typeof TENSOR_TYPES;
