// The key-value cache: one buffer of keys and one of values for each layer, rows x heads x (headDim x size). Programs read it where it lies;
// this writes the new rows. A sequence's keys and values are in one row, place j holding those of its token of position j.
import type { Architecture, Engine, Tensor } from '@lmflow/sdk';

interface Buffers { readonly keys: Float32Array; readonly values: Float32Array }

export class KeyValueCache {
  rows = 0;
  /** Places of a row. */
  size = 0;
  readonly #layers: number;
  readonly #heads: number;
  readonly #width: number;
  #buffers: Buffers[] = [];
  #tensors = new Map<string, readonly Tensor[]>();

  constructor({ numLayers, numKeyValueHeads, headDim }: Architecture) {
    this.#layers = numLayers;
    this.#heads = numKeyValueHeads;
    this.#width = headDim;
  }

  /** Changes the size; rows keep what fits. `used` says how many places of each row hold something. */
  resize(rows: number, size: number, used: (row: number) => number): void {
    if (rows === this.rows && size === this.size) return;
    const [heads, width] = [this.#heads, this.#width];
    const count = rows * heads * width * size;
    this.#buffers = Array.from({ length: this.#layers }, (_, layer) => {
      const made = { keys: new Float32Array(count), values: new Float32Array(count) };
      const old = this.#buffers[layer];
      for (let row = 0; old && row < Math.min(rows, this.rows); row++) copyRow(old, row, this.size, made, row, size, { heads, width, count: Math.min(used(row), size) });
      return made;
    });
    this.rows = rows;
    this.size = size;
    this.#forget();
  }

  /** Copies the first `count` places of a row over those of another. */
  copyRow(from: number, to: number, count: number): void {
    const { size } = this;
    for (const buffers of this.#buffers) copyRow(buffers, from, size, buffers, to, size, { heads: this.#heads, width: this.#width, count });
  }

  /**
   * Writes `count` tokens into a row from the place `at` on: `keys` [batch, heads, headDim, length] and `values` [batch, heads, length,
   * headDim] are a program's results for a layer, of which `source` is the row.
   */
  write(layer: number, row: number, at: number, count: number, { keys, values, source, length }: { readonly keys: Float32Array; readonly values: Float32Array; readonly source: number; readonly length: number }): void {
    const [heads, width, size] = [this.#heads, this.#width, this.size];
    const into = this.#buffers[layer]!;
    const lines = heads * width;
    if (length === 1) for (let line = 0; line < lines; line++) into.keys[(row * lines + line) * size + at] = keys[source * lines + line]!;
    else for (let line = 0; line < lines; line++) {
      const start = (source * lines + line) * length;
      into.keys.set(keys.subarray(start, start + count), (row * lines + line) * size + at);
    }
    for (let head = 0; head < heads; head++) {
      const start = (source * heads + head) * length * width;
      into.values.set(values.subarray(start, start + count * width), ((row * heads + head) * size + at) * width);
    }
  }

  /** Tensors of rows from .. from + count - 1: keys and values of each layer in turn. */
  async tensors(engine: Engine, from: number, count: number): Promise<readonly Tensor[]> {
    const key = `${from} ${count}`;
    const known = this.#tensors.get(key);
    // A tensor that wraps the buffer shows what is written into it; a copy on a device does not.
    if (known?.[0]?.location === 'cpu') return known;
    known?.forEach((tensor) => { tensor.dispose(); });
    const [heads, width, size] = [this.#heads, this.#width, this.size];
    const row = heads * width * size;
    const made: Tensor[] = [];
    for (const { keys, values } of this.#buffers) {
      made.push(await engine.upload(keys.subarray(from * row, (from + count) * row), [count, heads, width, size], 'float32'));
      made.push(await engine.upload(values.subarray(from * row, (from + count) * row), [count, heads, size, width], 'float32'));
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

  #forget(): void {
    for (const tensors of this.#tensors.values()) for (const tensor of tensors) tensor.dispose();
    this.#tensors.clear();
  }
}

interface RowShape { readonly heads: number; readonly width: number; readonly count: number }

function copyRow(from: Buffers, row: number, size: number, to: Buffers, toRow: number, toSize: number, { heads, width, count }: RowShape): void {
  for (let line = 0; line < heads * width; line++) {
    const start = (row * heads * width + line) * size;
    to.keys.set(from.keys.subarray(start, start + count), (toRow * heads * width + line) * toSize);
  }
  for (let head = 0; head < heads; head++) {
    const start = (row * heads + head) * size * width;
    to.values.set(from.values.subarray(start, start + count * width), (toRow * heads + head) * toSize * width);
  }
}
