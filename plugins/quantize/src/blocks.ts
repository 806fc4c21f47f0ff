// Rows of numbers as 4- or 8-bit codes in blocks with one float32 scale each (and, where asked, a
// zero point), laid out as ONNX Runtime's MatMulNBits takes them: first code of a byte in the low
// half. Not where they are kept: form.ts.
import { decodeNumbers } from '@lmflow/sdk/formats';

export type Bits = 4 | 8;

export interface Scheme {
  readonly bits: Bits;
  /** Numbers that share a scale; a row's last block may be short. */
  readonly blockSize: number;
  /**
   * Codes stand for (code - 2^(bits-1)) x scale; otherwise each block has a zero point of its own.
   */
  readonly symmetric: boolean;
}

/** Sizes of a matrix [rows, columns] in blocks. */
export interface BlockSizes {
  readonly blocks: number;
  /** Bytes of one block's codes. */
  readonly blob: number;
  /** Bytes of one row's zero points. */
  readonly zeros: number;
}

export interface Quantized {
  /** [rows, blocks, blob] */
  readonly packed: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** [rows, zeros]: two in a byte at 4 bits. Absent where symmetric. */
  readonly zeroPoints?: Uint8Array;
}

export function blockSizes(columns: number, { bits, blockSize }: Scheme): BlockSizes {
  const blocks = Math.ceil(columns / blockSize);
  return { blocks, blob: (blockSize * bits) / 8, zeros: Math.ceil((blocks * bits) / 8) };
}

/**
 * Steps of a starting scale, in codes, that are tried around the one that just holds the largest
 * number; at 8 bits the search gains nothing.
 */
const STEPS: Readonly<Record<Bits, readonly number[]>> = {
  4: [-0.6, -0.45, -0.3, -0.15, 0, 0.15, 0.3, 0.45, 0.6],
  8: [0],
};

/** Quantizes a matrix in row-major order. A block of zeros gets scale 0. */
export function quantize(
  numbers: Float32Array,
  rows: number,
  columns: number,
  scheme: Scheme,
): Quantized {
  const { bits, blockSize, symmetric } = scheme;
  const { blocks, blob, zeros } = blockSizes(columns, scheme);
  const packed = new Uint8Array(rows * blocks * blob);
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = symmetric ? undefined : new Uint8Array(rows * zeros);
  // not 2 ** bits - 1: a whole number to the compiler, which is a third faster
  const largest = (1 << bits) - 1;
  const fit = new BlockFit(numbers, bits);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = Math.min(start + blockSize, (row + 1) * columns);
      fit.search(start, end, symmetric);
      const scale = (scales[row * blocks + block] = fit.scale);
      const { zero } = fit;
      const inverse = scale === 0 ? 0 : 1 / scale;
      if (zeroPoints) {
        zeroPoints[row * zeros + ((block * bits) >> 3)]! |=
          bits === 8 ? zero : zero << (block & 1 ? 4 : 0);
      }
      const place = (row * blocks + block) * blob;
      // What fills up a row's last block stands for 0.
      for (let index = 0; index < blockSize; index++) {
        const code =
          start + index < end ? nearest(numbers[start + index]! * inverse + zero, largest) : zero;
        if (bits === 8) packed[place + index] = code;
        else packed[place + (index >> 1)]! |= code << (index & 1 ? 4 : 0);
      }
    }
  }
  return { packed, scales, ...(zeroPoints ? { zeroPoints } : {}) };
}

/** The numbers [rows, columns] that codes stand for. */
export function dequantize(
  { packed, scales, zeroPoints }: Quantized,
  rows: number,
  columns: number,
  scheme: Scheme,
): Float32Array {
  const { bits, blockSize } = scheme;
  const { zeros } = blockSizes(columns, scheme);
  const zeroPoint =
    zeroPoints &&
    ((row: number, block: number): number =>
      bits === 8
        ? zeroPoints[row * zeros + block]!
        : (zeroPoints[row * zeros + (block >> 1)]! >> (block & 1 ? 4 : 0)) & 15);
  return decodeNumbers(packed, scales, { rows, columns, bits, groupSize: blockSize }, zeroPoint);
}

/** The nearest whole number in 0 .. largest. (Math.round is many times slower here.) */
function nearest(x: number, largest: number): number {
  if (x <= 0) return 0;
  return x >= largest ? largest : (x + 0.5) | 0;
}

/**
 * Finds the scale and zero point of a block by least squares from several starting scales, as
 * llama.cpp's quantizers do.
 */
class BlockFit {
  scale = 0;
  zero = 0;
  readonly #numbers: Float32Array;
  readonly #bits: Bits;
  #gain = 0;

  constructor(numbers: Float32Array, bits: Bits) {
    this.#numbers = numbers;
    this.#bits = bits;
  }

  /** Of numbers start .. end - 1. */
  search(start: number, end: number, symmetric: boolean): void {
    const middle = 1 << (this.#bits - 1);
    let [low, high] = [0, 0];
    for (let index = start; index < end; index++) {
      const x = this.#numbers[index]!;
      if (x < low) low = x;
      else if (x > high) high = x;
    }
    const extreme = high > -low ? high : low;
    this.zero = middle;
    this.scale = this.#gain = 0;
    if (extreme === 0) return;
    // The number of largest magnitude takes the end that reaches further, so that a scale may be
    // negative.
    for (const step of STEPS[this.#bits]) this.#try(start, end, extreme / -(middle + step), middle);
    if (symmetric) return;
    const largest = 2 * middle - 1;
    for (const step of STEPS[this.#bits]) {
      const scale = (high - low) / (largest + step);
      this.#try(start, end, scale, nearest(-low / scale, largest));
    }
  }

  // With the best scale for the codes that a starting scale gives, the squared error is that of
  // zeros less (sum x q)^2 / sum q^2.
  #try(start: number, end: number, from: number, zero: number): void {
    const numbers = this.#numbers;
    const largest = (1 << this.#bits) - 1;
    const inverse = 1 / from;
    let cross = 0;
    let squares = 0;
    for (let index = start; index < end; index++) {
      const x = numbers[index]!;
      const q = nearest(x * inverse + zero, largest) - zero;
      cross += x * q;
      squares += q * q;
    }
    const gain = squares > 0 ? (cross * cross) / squares : 0;
    if (gain <= this.#gain) return;
    this.#gain = gain;
    this.scale = Math.fround(cross / squares);
    this.zero = zero;
  }
}
