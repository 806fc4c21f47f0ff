// Where the numbers of a frozen weight live: a range of bytes in a file, or an array in memory. An
// engine maps the file; nothing is read here.
import type { TypedArray, ValueType } from './types.ts';

/**
 * Bytes `offset .. offset + byteLength` of `path` hold the tensor, little-endian, row-major, in
 * `dtype`.
 */
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

/** Where an engine finds a weight's numbers. */
export type WeightSource = FileWeight | MemoryWeight;

/**
 * A matrix [rows, columns] that the checkpoint has in whole numbers of a few bits: (code - zero
 * point) x scale, with a scale for each group of a row's columns. Its dtype is that of the numbers.
 * No engine computes with it by itself.
 */
export interface PackedWeight extends ValueType {
  readonly kind: 'packed';
  readonly bits: 4 | 8;
  /** Columns that share a scale: a divisor of the row. */
  readonly groupSize: number;
  /**
   * uint8 [rows, bytes]: a row's codes, each row from a whole byte on, the first code of a byte in
   * its low half.
   */
  readonly codes: FileWeight;
  /** Floats [rows, groups]. */
  readonly scales: FileWeight;
  /**
   * int32 [rows x bits / 32, groups]: those of 32 / bits rows in a word, the first row in its
   * lowest bits. Absent: 2^(bits - 1).
   */
  readonly zeroPoints?: FileWeight;
}

/** Where a checkpoint has a tensor. */
export type ModelWeight = WeightSource | PackedWeight;
