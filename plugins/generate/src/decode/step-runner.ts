// Runs step programs on rows of the cache and writes the new keys and values back. Sequences are the
// business of cached-session.ts and ../beam.
import type { Engine, Tensor, TensorMap } from '@lmflow/sdk';
import { loadParameter, parameterInput, type Model } from '@lmflow/sdk/model';
import { batchBucket, cacheBucket, lengthBucket } from './buckets.ts';
import { KeyValueCache } from './key-value-cache.ts';
import {
  cacheNames,
  newNames,
  updatesCache,
  type StepPrograms,
  type StepShape,
} from './step-programs.ts';

/** Kinds of rope whose angles depend on the sequence's length. */
export const STRETCHING: readonly string[] = ['dynamic', 'longrope'];

/** Some tokens of one row of the cache. */
export interface RowTokens {
  readonly row: number;
  readonly ids: ArrayLike<number>;
  /** How many places of the row are filled: the position of the first token. */
  readonly at: number;
}

export interface RunnerRequest {
  readonly engine: Engine;
  readonly model: Model;
  /** The model's programs, which models of the same shape share. */
  readonly programs: StepPrograms;
  /** Most tokens of a sequence. */
  readonly contextLength: number;
}

export class StepRunner {
  readonly cache: KeyValueCache;
  readonly #request: RunnerRequest;
  readonly #programs: StepPrograms;
  readonly #parameters = new Map<string, Tensor>();
  /** Names of the caches, in the order of KeyValueCache.tensors. */
  readonly #names: readonly string[];
  /** Buffers for the logits of steps that change the cache in place, by number of rows. */
  readonly #logits = new Map<number, Tensor>();

  constructor(request: RunnerRequest) {
    this.#request = request;
    this.cache = new KeyValueCache(request.model.architecture);
    this.#programs = request.programs;
    this.#names = Array.from({ length: request.model.architecture.numLayers }, (_, layer) =>
      cacheNames(layer),
    ).flat();
  }

  /** Makes room for rows of some length; `used` is the number of filled places of a row. */
  reserve(rows: number, places: number, used: (row: number) => number): void {
    this.cache.resize(batchBucket(rows), cacheBucket(places, this.#request.contextLength), used);
  }

  /** Reads tokens of one row; returns the logits after the last. */
  async read({ row, ids, at }: RowTokens): Promise<Float32Array> {
    const { contextLength } = this.#request;
    const length = Math.min(lengthBucket(ids.length), Math.max(contextLength - at, ids.length));
    const size = at === 0 ? 0 : this.cache.size;
    const context = this.#contextOf(size, length, at + ids.length);
    const inputIds = Int32Array.from({ length }, (_, index) => ids[index] ?? 0);
    const positions = Int32Array.from({ length }, (_, index) => Math.min(at + index, context - 1));
    const shape = { batch: 1, length, cache: size, context, chosen: 1 };
    const [logits] = await this.#run(
      shape,
      {
        inputIds,
        positions,
        chosen: Int32Array.of(ids.length - 1),
        lengths: Int32Array.of(at),
        first: row,
      },
      [{ row, at, count: ids.length, source: 0 }],
    );
    return logits!;
  }

  /**
   * Reads one token for each of some rows; returns their logits, which the next step may overwrite.
   * Rows between them are computed along, which writes to the place after the `filled` ones.
   */
  async step(
    rows: readonly RowTokens[],
    filled: (row: number) => number = () => 0,
  ): Promise<Float32Array[]> {
    const batch = Math.min(
      this.cache.rows,
      batchBucket(1 + Math.max(...rows.map(({ row }) => row))),
    );
    const [inputIds, positions, lengths] = [
      new Int32Array(batch),
      new Int32Array(batch),
      Int32Array.from({ length: batch }, (_, row) => filled(row)),
    ];
    for (const { row, ids, at } of rows) {
      inputIds[row] = ids[0]!;
      positions[row] = lengths[row] = at;
    }
    const { size } = this.cache;
    const shape = {
      batch,
      length: 1,
      cache: size,
      context: this.#contextOf(size, 1, 0),
      chosen: batch,
    };
    const logits = await this.#run(
      shape,
      {
        inputIds,
        positions,
        lengths,
        chosen: Int32Array.from({ length: batch }, (_, row) => row),
        first: 0,
      },
      rows.map(({ row, at }) => ({ row, at, count: 1, source: row })),
    );
    return rows.map(({ row }) => logits[row]!);
  }

  async dispose(): Promise<void> {
    this.cache.dispose();
    for (const tensor of [...this.#parameters.values(), ...this.#logits.values()]) tensor.dispose();
    this.#parameters.clear();
    this.#logits.clear();
    await this.#programs.dispose();
  }

  // Where rope depends on the sequence's length, the context is that length; else a bucket does.
  #contextOf(size: number, length: number, reached: number): number {
    const {
      model: {
        architecture: { rope },
      },
      contextLength,
    } = this.#request;
    if (size === 0 && rope && STRETCHING.includes(rope.scaling.type)) return reached;
    return Math.min(Math.max(contextLength, size), size + length);
  }

  async #run(shape: StepShape, feeds: Feeds, written: readonly Written[]): Promise<Float32Array[]> {
    const { engine } = this.#request;
    const names = this.#names;
    const { program, parameters } = await this.#programs.get(shape);
    const { batch, length } = shape;
    const inputs: Record<string, Tensor> = {
      inputIds: await engine.upload(feeds.inputIds, [batch, length], 'int32'),
      positions: await engine.upload(feeds.positions, [batch, length], 'int32'),
      chosen: await engine.upload(feeds.chosen, [shape.chosen], 'int32'),
    };
    if (shape.cache > 0) inputs['lengths'] = await engine.upload(feeds.lengths, [batch], 'int32');
    const passing = Object.values(inputs);
    const caches = shape.cache > 0 ? await this.cache.tensors(engine, feeds.first, batch) : [];
    caches.forEach((tensor, index) => {
      inputs[names[index]!] = tensor;
    });
    for (const name of parameters) inputs[parameterInput(name)] = await this.#parameter(name);
    const inPlace = updatesCache(shape) && caches[0]!.location === 'cpu';
    const outputs: Record<string, Tensor> = {};
    if (inPlace) {
      caches.forEach((tensor, index) => {
        outputs[names[index]!] = tensor;
      });
      outputs['logits'] = await this.#logitsOf(shape.chosen);
    }
    const results = await program.run(inputs, outputs);
    if (!inPlace) await this.#keep(shape, results, feeds.first, written);
    const logits = (await results['logits']!.read()) as Float32Array;
    for (const tensor of inPlace ? passing : [...passing, ...Object.values(results)]) {
      tensor.dispose();
    }
    const width = logits.length / shape.chosen;
    return Array.from({ length: shape.chosen }, (_, index) =>
      logits.subarray(index * width, (index + 1) * width),
    );
  }

  /** Writes the keys and values that a program returns to the cache. */
  async #keep(
    shape: StepShape,
    results: TensorMap,
    first: number,
    written: readonly Written[],
  ): Promise<void> {
    const { numLayers } = this.#request.model.architecture;
    for (let layer = 0; layer < numLayers; layer++) {
      for (const kind of [0, 1] as const) {
        const index = 2 * layer + kind;
        const numbers = (await results[
          (updatesCache(shape) ? cacheNames : newNames)(layer)[kind]
        ]!.read()) as Float32Array;
        if (updatesCache(shape)) this.cache.replace(index, first, numbers);
        else {
          for (const { row, at, count, source } of written) {
            this.cache.write(index, row, at, count, { numbers, length: shape.length }, source);
          }
        }
      }
    }
  }

  async #logitsOf(rows: number): Promise<Tensor> {
    const known = this.#logits.get(rows);
    if (known) return known;
    const width = this.#request.model.architecture.vocabularySize;
    const made = await this.#request.engine.upload(
      new Float32Array(rows * width),
      [rows, width],
      'float32',
    );
    this.#logits.set(rows, made);
    return made;
  }

  async #parameter(name: string): Promise<Tensor> {
    const known = this.#parameters.get(name);
    // A tensor on the CPU wraps the numbers and follows their training; a copy on a device does not.
    const parameter = this.#request.model.parameters.get(name)!;
    if (known?.location === 'cpu' && !parameter.storage) return known;
    known?.dispose();
    const data = await loadParameter(parameter);
    const tensor = await this.#request.engine.upload(data, parameter.shape, 'float32');
    this.#parameters.set(name, tensor);
    return tensor;
  }
}

interface Feeds {
  readonly inputIds: Int32Array;
  readonly positions: Int32Array;
  readonly chosen: Int32Array;
  readonly lengths: Int32Array;
  readonly first: number;
}
interface Written {
  readonly row: number;
  readonly at: number;
  readonly count: number;
  readonly source: number;
}
