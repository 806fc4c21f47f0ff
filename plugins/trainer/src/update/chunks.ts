// Runs elementwise update programs over flat chunks that fit into the processor's cache: parts of
// large tensors in place, small tensors gathered into shared chunks. All numbers of a chunk share
// their scalars.
import type { Engine, Program, Tensor } from '@lmflow/sdk';
import type { Graph } from '@lmflow/sdk/graph';
import { inPlaceInputs, nextOf } from './elementwise.ts';

/**
 * Largest number of numbers in a chunk: 1 MB of each tensor. The fastest of 2^14 to 2^19 on two
 * cores with 2 MB of cache each. A multiple of the blocks of 8-bit state.
 */
export const CHUNK = 1 << 18;

/**
 * Tensors with at least this many numbers have their own chunks and programs: copying them into a
 * shared chunk and back would take longer.
 */
const LARGE = 1 << 15;
/** Chunks of a tensor start at multiples of this many numbers. */
const ALIGNMENT = 64;

/** The numbers of a parameter, of its gradient or of its state. */
export interface Numbers {
  /** The array itself, where they are float32 in memory. */
  readonly array?: Float32Array;
  /** Copies the numbers from `start` on into `values`. */
  read(start: number, values: Float32Array): void;
  write(start: number, values: Float32Array): void;
}

/** The numbers of an array. */
export function numbersOf(array: Float32Array): Numbers {
  return {
    array,
    read: (start, values) => {
      values.set(array.subarray(start, start + values.length));
    },
    write: (start, values) => {
      array.set(values, start);
    },
  };
}

/** One update: its tensors by their input's name, all of `length` numbers, and its scalars. */
export interface FlatUpdate {
  readonly length: number;
  readonly tensors: Readonly<Record<string, Numbers>>;
  readonly scalars: Readonly<Record<string, number>>;
}

type Arrays = Readonly<Record<string, Float32Array>>;

/** A chunk that is being filled. */
interface Gathering {
  readonly scalars: FlatUpdate['scalars'];
  readonly buffers: Arrays;
  readonly pieces: {
    readonly tensors: FlatUpdate['tensors'];
    readonly start: number;
    readonly at: number;
    readonly length: number;
  }[];
  filled: number;
}

interface Compiled {
  readonly program: Program;
  readonly outputs: readonly string[];
  readonly inPlace: ReadonlySet<string>;
}

export class Chunks {
  readonly #engine: Engine;
  readonly #name: string;
  readonly #build: (tensors: readonly string[], size: number) => Graph;
  readonly #programs = new Map<string, Compiled>();
  readonly #gatherings = new Map<string, Gathering>();
  readonly #buffers: Float32Array[] = [];
  /** Uploaded numbers, by their value. */
  readonly #scalars = new Map<number, Tensor>();

  /** `build` makes the program for tensors with these names, of this many numbers each. */
  constructor(
    engine: Engine,
    name: string,
    build: (tensors: readonly string[], size: number) => Graph,
  ) {
    this.#engine = engine;
    this.#name = name;
    this.#build = build;
  }

  /**
   * Runs the update, or a part of it; `finish` runs the rest. The tensors must not change until
   * then.
   */
  async add(update: FlatUpdate): Promise<void> {
    const { length, tensors, scalars } = update;
    const arrays = Object.entries(tensors).flatMap(([name, { array }]) =>
      array ? [[name, array] as const] : [],
    );
    const direct = arrays.length === Object.keys(tensors).length;
    const inPlace = direct && length >= LARGE;
    const part = inPlace
      ? ALIGNMENT * Math.ceil(length / Math.ceil(length / CHUNK) / ALIGNMENT)
      : CHUNK;
    for (let start = 0; start < length; start += part) {
      const size = Math.min(part, length - start);
      if (inPlace) {
        await this.#run(
          Object.fromEntries(
            arrays.map(([name, array]) => [name, array.subarray(start, start + size)]),
          ),
          scalars,
        );
      } else await this.#gather(update, start, size);
    }
  }

  /** Runs the chunks that are not full. */
  async finish(): Promise<void> {
    for (const key of [...this.#gatherings.keys()]) await this.#runGathered(key);
    for (const tensor of this.#scalars.values()) tensor.dispose();
    this.#scalars.clear();
  }

  async dispose(): Promise<void> {
    for (const { program } of this.#programs.values()) await program.dispose();
    this.#programs.clear();
  }

  async #gather({ tensors, scalars }: FlatUpdate, start: number, length: number): Promise<void> {
    const key = JSON.stringify([Object.keys(tensors), scalars]);
    if ((this.#gatherings.get(key)?.filled ?? 0) + length > CHUNK) await this.#runGathered(key);
    let gathering = this.#gatherings.get(key);
    if (!gathering) {
      gathering = {
        scalars,
        buffers: Object.fromEntries(
          Object.keys(tensors).map((name) => [
            name,
            this.#buffers.pop() ?? new Float32Array(CHUNK),
          ]),
        ),
        pieces: [],
        filled: 0,
      };
      this.#gatherings.set(key, gathering);
    }
    const at = gathering.filled;
    for (const [name, numbers] of Object.entries(tensors)) {
      numbers.read(start, gathering.buffers[name]!.subarray(at, at + length));
    }
    gathering.pieces.push({ tensors, start, at, length });
    gathering.filled += length;
  }

  async #runGathered(key: string): Promise<void> {
    const gathering = this.#gatherings.get(key);
    if (!gathering) return;
    this.#gatherings.delete(key);
    const { buffers, scalars, pieces, filled } = gathering;
    // Few sizes, so that few programs are compiled; results behind the filled part are ignored.
    const size = Math.min(CHUNK, 2 ** Math.max(6, Math.ceil(Math.log2(filled))));
    const changed = await this.#run(
      Object.fromEntries(
        Object.entries(buffers).map(([name, buffer]) => [name, buffer.subarray(0, size)]),
      ),
      scalars,
    );
    for (const { tensors, start, at, length } of pieces) {
      for (const name of changed) {
        tensors[name]!.write(start, buffers[name]!.subarray(at, at + length));
      }
    }
    this.#buffers.push(...Object.values(buffers));
  }

  /**
   * Runs one chunk, which writes the next values into the arrays. Resolves to the names of those
   * that changed.
   */
  async #run(arrays: Arrays, scalars: FlatUpdate['scalars']): Promise<readonly string[]> {
    const { program, outputs, inPlace } = await this.#programFor(
      Object.keys(arrays),
      Object.values(arrays)[0]!.length,
    );
    const inputs: Record<string, Tensor> = {};
    for (const [name, data] of Object.entries(arrays)) {
      inputs[name] = await this.#engine.upload(data, [data.length], 'float32');
    }
    const numbers = await Promise.all(
      Object.entries(scalars).map(
        async ([name, scalar]) => [name, await this.#scalar(scalar)] as const,
      ),
    );
    const targets = Object.fromEntries(
      outputs.filter((name) => inPlace.has(name)).map((name) => [nextOf(name), inputs[name]!]),
    );
    const results = await program.run({ ...inputs, ...Object.fromEntries(numbers) }, targets);
    for (const name of outputs) {
      const data = (await results[nextOf(name)]!.read()) as Float32Array;
      const target = arrays[name]!;
      if (data.buffer !== target.buffer || data.byteOffset !== target.byteOffset) target.set(data);
    }
    for (const tensor of new Set([...Object.values(inputs), ...Object.values(results)])) {
      tensor.dispose();
    }
    return outputs;
  }

  async #scalar(value: number): Promise<Tensor> {
    const known =
      this.#scalars.get(value) ??
      (await this.#engine.upload(Float32Array.of(value), [], 'float32'));
    this.#scalars.set(value, known);
    return known;
  }

  async #programFor(tensors: readonly string[], size: number): Promise<Compiled> {
    const key = `${size} ${tensors.join()}`;
    const known = this.#programs.get(key);
    if (known) return known;
    const graph = this.#build(tensors, size);
    const compiled = {
      program: await this.#engine.compile(graph, { name: `${this.#name} [${size}]` }),
      outputs: tensors.filter((name) => graph.outputs.has(nextOf(name))),
      inPlace: inPlaceInputs(graph),
    };
    this.#programs.set(key, compiled);
    return compiled;
  }
}
