// Optimizer state held in 8 bits: blocks of 256 numbers, each number a code of the dynamic map
// relative to its block's largest (Dettmers et al. 2022; the map and the rounding are those of
// bitsandbytes).
import { dynamicMap } from '@lmflow/sdk/formats';

export const BLOCK = 256;

/** Whether the numbers of a tensor have signs; each kind has its map. */
export type EightBitKind = 'signed' | 'unsigned';

const MAPS = { signed: dynamicMap(true), unsigned: dynamicMap(false) };
const MIDDLES = { signed: middlesOf(MAPS.signed), unsigned: middlesOf(MAPS.unsigned) };
const ZEROS = { signed: MAPS.signed.indexOf(0), unsigned: MAPS.unsigned.indexOf(0) };
const GUESSES = { signed: guessesOf(MIDDLES.signed), unsigned: guessesOf(MIDDLES.unsigned) };

/** Between `middles[code]` and the next lie the numbers that are nearest to `map[code]`. */
function middlesOf(map: Float32Array): Float64Array {
  return Float64Array.of(
    -Infinity,
    ...Array.from(map.subarray(1), (value, index) => (map[index]! + value) / 2),
    Infinity,
  );
}

/**
 * For the upper 16 bits of a float32 from -1 to 1: the nearest code of the number with these bits
 * followed by zeros. The code of any number with these upper bits differs by at most one.
 */
function guessesOf(middles: Float64Array): Uint8Array {
  const codes = new Uint8Array(1 << 16);
  const number = new Float32Array(1);
  const bits = new Uint32Array(number.buffer);
  for (let upper = 0; upper < codes.length; upper++) {
    bits[0] = upper << 16;
    codes[upper] = Math.max(
      0,
      middles.findLastIndex((middle) => middle < number[0]!),
    );
  }
  return codes;
}

/** The quotients of a block, and their bits. */
const quotients = new Float32Array(BLOCK);
const bits = new Uint32Array(quotients.buffer);

/** A tensor with one byte per number, and a float32 scale per block. */
export class EightBitTensor {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly #kind: EightBitKind;

  constructor(length: number, kind: EightBitKind) {
    // The length of the buffer is a multiple of 4, so that it can be saved as float32.
    this.codes = new Uint8Array(new ArrayBuffer(4 * Math.ceil(length / 4)), 0, length).fill(
      ZEROS[kind],
    );
    this.scales = new Float32Array(Math.ceil(length / BLOCK));
    this.#kind = kind;
  }

  /** The codes' bytes, four in each float32, for files of float32. */
  get packed(): Float32Array {
    return new Float32Array(this.codes.buffer as ArrayBuffer);
  }

  /** Writes the numbers from `start` on, the first of a block, into `values`. */
  read(start: number, values: Float32Array): void {
    const map = MAPS[this.#kind];
    for (let from = 0; from < values.length; from += BLOCK) {
      const scale = this.scales[(start + from) / BLOCK]!;
      const to = Math.min(from + BLOCK, values.length);
      for (let index = from; index < to; index++) {
        values[index] = map[this.codes[start + index]!]! * scale;
      }
    }
  }

  /** Quantizes `values` into the numbers from `start` on, the first of a block. */
  write(start: number, values: Float32Array): void {
    for (let from = 0; from < values.length; from += BLOCK) {
      const to = Math.min(from + BLOCK, values.length);
      let largest = 0;
      for (let index = from; index < to; index++) {
        const size = Math.abs(values[index]!);
        if (!(size <= largest)) largest = size;
        if (Number.isNaN(size)) break; // the block's scale: it reads back as NaN
      }
      this.scales[(start + from) / BLOCK] = largest;
      this.#quantize(values, from, to, largest === 0 ? 1 : largest, start);
    }
  }

  /**
   * Codes of the values divided by `largest`, in float32; one that rounds to zero keeps its sign in
   * the signed map, as in bitsandbytes.
   */
  #quantize(values: Float32Array, from: number, to: number, largest: number, start: number): void {
    const [middles, guesses, zero, codes] = [
      MIDDLES[this.#kind],
      GUESSES[this.#kind],
      this.#kind === 'signed' ? ZEROS.signed : -1,
      this.codes,
    ];
    for (let index = from; index < to; index++) quotients[index - from] = values[index]! / largest;
    for (let index = from; index < to; index++) {
      const value = quotients[index - from]!;
      // without branches, which the processor could not predict
      let code = guesses[bits[index - from]! >>> 16]!;
      code += Number(middles[code + 1]! < value);
      code -= Number(middles[code]! >= value);
      codes[start + index] = code === zero && value < 0 ? code - 1 : code;
    }
  }
}
