// The key-value cache: for each layer a buffer of keys and one of values, [rows, heads, size,
// headDim]. A sequence has one row, whose place j holds the token at position j. Programs read it in
// place; steps of one token write to it, and the results of longer programs are copied here.
import type { Engine, Tensor } from '@lmflow/sdk';
import type { Architecture } from '@lmflow/sdk/model';

/** New tokens of some rows as a program returns them: [batch, heads, length, headDim]. */
export interface NewTokens {
  readonly numbers: Float32Array;
  readonly length: number;
}

export class KeyValueCache {
  rows = 0;
  /** Places of a row. */
  size = 0;
  readonly #layers: number;
  readonly #heads: number;
  readonly #width: number;
  /** Keys and values of each layer in turn. */
  #buffers: Float32Array[] = [];
  #tensors = new Map<string, readonly Tensor[]>();

  constructor({ numLayers, numKeyValueHeads, headDim }: Architecture) {
    this.#layers = numLayers;
    this.#heads = numKeyValueHeads;
    this.#width = headDim;
  }

  /** Changes the size; rows keep what fits. `used` is the number of filled places of a row. */
  resize(rows: number, size: number, used: (row: number) => number): void {
    if (rows === this.rows && size === this.size) return;
    const old = this.#buffers;
    this.#buffers = Array.from(
      { length: 2 * this.#layers },
      () => new Float32Array(rows * this.#heads * size * this.#width),
    );
    old.forEach((from, index) => {
      for (let row = 0; row < Math.min(rows, this.rows); row++) {
        this.#move(
          { numbers: from, length: this.size },
          row,
          this.#buffers[index]!,
          size,
          row,
          0,
          Math.min(used(row), size),
        );
      }
    });
    this.rows = rows;
    this.size = size;
    this.#forget();
  }

  /** Copies the first `count` places of a row over those of another. */
  copyRow(from: number, to: number, count: number): void {
    for (const buffer of this.#buffers) {
      this.#move({ numbers: buffer, length: this.size }, from, buffer, this.size, to, 0, count);
    }
  }

  /**
   * Writes `count` tokens into a row from the place `at` on: those of row `source` in `found`, a
   * program's results for buffer `index`.
   */
  write(
    index: number,
    row: number,
    at: number,
    count: number,
    found: NewTokens,
    source: number,
  ): void {
    this.#move(found, source, this.#buffers[index]!, this.size, row, at, count);
  }

  /** Copies whole rows, from `row` on, that a program changed on a device. */
  replace(index: number, row: number, numbers: Float32Array): void {
    this.#buffers[index]!.set(numbers, row * this.#heads * this.size * this.#width);
  }

  /**
   * Tensors of `count` rows from `from` on: keys and values of each layer in turn, [count, heads,
   * size, headDim].
   */
  async tensors(engine: Engine, from: number, count: number): Promise<readonly Tensor[]> {
    const key = `${from} ${count}`;
    const known = this.#tensors.get(key);
    // A tensor on the CPU wraps the buffer and sees what is written to it; a copy on a device does not.
    if (known?.[0]?.location === 'cpu') return known;
    known?.forEach((tensor) => {
      tensor.dispose();
    });
    const shape = [count, this.#heads, this.size, this.#width];
    const row = this.#heads * this.size * this.#width;
    const made: Tensor[] = [];
    for (const buffer of this.#buffers) {
      made.push(
        await engine.upload(buffer.subarray(from * row, (from + count) * row), shape, 'float32'),
      );
    }
    this.#tensors.set(key, made);
    return made;
  }

  /** Frees everything. */
  dispose(): void {
    this.#forget();
    this.#buffers = [];
    this.rows = this.size = 0;
  }

  #move(
    { numbers, length }: NewTokens,
    source: number,
    into: Float32Array,
    size: number,
    row: number,
    at: number,
    count: number,
  ): void {
    const [heads, width] = [this.#heads, this.#width];
    for (let head = 0; head < heads; head++) {
      const from = (source * heads + head) * length * width;
      into.set(
        numbers.subarray(from, from + count * width),
        ((row * heads + head) * size + at) * width,
      );
    }
  }

  #forget(): void {
    for (const tensors of this.#tensors.values()) for (const tensor of tensors) tensor.dispose();
    this.#tensors.clear();
  }
}
