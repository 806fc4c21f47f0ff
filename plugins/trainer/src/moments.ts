// Optimizer state held in 8 bits: blocks of 256 numbers, each number a code of the dynamic map relative to its block's largest (Dettmers et al. 2022;
// the map and the rounding are those of bitsandbytes).

export const BLOCK = 256;

/** The 256 values of the dynamic map in order; `signed` has -0.99 to 1, the other 0 to 1. (create_dynamic_map of bitsandbytes) */
export function dynamicMap(signed: boolean): Float32Array {
  const values: number[] = [0, 1];
  for (let exponent = 0; exponent < 7; exponent++) {
    const count = 2 ** (signed ? exponent : exponent + 1);
    for (let item = 0; item < count; item++) {
      const mean = (0.1 + (0.9 * (item + 0.5)) / count) * 10 ** (exponent - 6);
      values.push(mean);
      if (signed) values.push(-mean);
    }
  }
  return Float32Array.from(values).sort();
}

const MAPS = { signed: dynamicMap(true), unsigned: dynamicMap(false) };
const MIDDLES = { signed: middlesOf(MAPS.signed), unsigned: middlesOf(MAPS.unsigned) };
const ZEROS = { signed: MAPS.signed.indexOf(0), unsigned: MAPS.unsigned.indexOf(0) };

function middlesOf(map: Float32Array): Float64Array {
  return Float64Array.from({ length: map.length - 1 }, (_, index) => (map[index]! + map[index + 1]!) / 2);
}

/** A tensor of so many numbers in one byte each, and a float32 scale for each block. */
export class EightBitTensor {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly #kind: keyof typeof MAPS;

  constructor(length: number, kind: keyof typeof MAPS) {
    // The buffer is a whole number of float32, so that it can be saved as such.
    this.codes = new Uint8Array(new ArrayBuffer(4 * Math.ceil(length / 4)), 0, length).fill(ZEROS[kind]);
    this.scales = new Float32Array(Math.ceil(length / BLOCK));
    this.#kind = kind;
  }

  /** The codes' bytes, four in each float32, for files of float32. */
  get packed(): Float32Array {
    return new Float32Array(this.codes.buffer as ArrayBuffer);
  }

  /** Writes the numbers from `start` (a block's first) on into `values`. */
  read(start: number, values: Float32Array): void {
    const map = MAPS[this.#kind];
    for (let index = 0; index < values.length; index++) values[index] = map[this.codes[start + index]!]! * this.scales[(start + index) / BLOCK | 0]!;
  }

  /** Quantizes `values` to `start` (a block's first) on. */
  write(start: number, values: Float32Array): void {
    for (let from = 0; from < values.length; from += BLOCK) {
      const to = Math.min(from + BLOCK, values.length);
      let largest = 0;
      for (let index = from; index < to; index++) largest = Math.max(largest, Math.abs(values[index]!));
      this.scales[(start + from) / BLOCK] = largest;
      for (let index = from; index < to; index++) this.codes[start + index] = largest === 0 ? ZEROS[this.#kind] : this.#code(values[index]! / largest);
    }
  }

  // The nearest value; one that rounds to zero keeps its sign in the signed map, as in bitsandbytes.
  #code(value: number): number {
    const middles = MIDDLES[this.#kind];
    let [low, high] = [0, middles.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (middles[middle]! < value) low = middle + 1; else high = middle;
    }
    return low === ZEROS.signed && this.#kind === 'signed' && value < 0 ? low - 1 : low;
  }
}
