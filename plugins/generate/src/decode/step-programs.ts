// The programs of a step, one per shape: tokens of some sequences go in, logits and the tokens' keys
// and values come out. The model's own building functions trace them. The least recently used
// programs are freed.
import { LRUCache } from 'lru-cache';
import type { Engine, Program } from '@lmflow/sdk';
import {
  forward,
  parametersOf,
  type AttentionCache,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { BYTES, Graph, gather, sizeOf, transpose, type Value } from '@lmflow/sdk/graph';

/** What a step program is compiled for. */
export interface StepShape {
  /** Sequences. */
  readonly batch: number;
  /** New tokens of each. */
  readonly length: number;
  /** Places of the cache; 0 where nothing came before. */
  readonly cache: number;
  /** All positions are below this. */
  readonly context: number;
  /** Tokens whose logits are computed. */
  readonly chosen: number;
}

export interface StepProgram {
  readonly program: Program;
  /** Names of the parameters that are inputs. */
  readonly parameters: readonly string[];
}

/**
 * Names of a layer's keys and values in the cache: inputs, and in a program of one token a row also
 * outputs.
 */
export const cacheNames = (layer: number): readonly [keys: string, values: string] => [
  `keys.${layer}`,
  `values.${layer}`,
];
/** Names of the new tokens' keys and values: outputs of a program of several tokens. */
export const newNames = (layer: number): readonly [keys: string, values: string] => [
  `new.keys.${layer}`,
  `new.values.${layer}`,
];

/** Whether the program itself writes its tokens to the cache. */
export const updatesCache = ({ length, cache }: StepShape): boolean => length === 1 && cache > 0;

/**
 * Limit of the weights that all kept programs map together, in bytes: each maps the whole model. A
 * small model keeps every shape of a mixed load, so that none is compiled again.
 */
const MAPPED_BYTES = 4e9;
const [FEWEST, MOST] = [6, 48];

export class StepPrograms {
  readonly #engine: Engine;
  readonly #model: Model;
  readonly #mode: Trace['mode'];
  readonly #kept: LRUCache<string, Promise<StepProgram>>;
  /** Programs that are being freed. */
  #leaving: Promise<void>[] = [];
  #users = 0;

  constructor(engine: Engine, model: Model, mode: Trace['mode']) {
    this.#engine = engine;
    this.#model = model;
    this.#mode = mode;
    const bytes = [...model.weights.values()].reduce(
      (sum, { shape, dtype }) => sum + sizeOf(shape) * BYTES[dtype],
      0,
    );
    this.#kept = new LRUCache({
      max: Math.min(MOST, Math.max(FEWEST, Math.floor(MAPPED_BYTES / bytes))),
      dispose: (entry) => this.#leaving.push(free(entry)),
    });
  }

  async get(shape: StepShape): Promise<StepProgram> {
    const key = [...(Object.values(shape) as number[]), this.#model.parameters.size].join();
    const known = this.#kept.get(key);
    if (known) return known;
    const program = this.#compile(shape);
    program.catch(() => this.#kept.delete(key));
    this.#kept.set(key, program);
    await this.#freed();
    return program;
  }

  /** Counts one more user; each calls dispose. */
  share(): this {
    this.#users += 1;
    return this;
  }

  async dispose(): Promise<void> {
    if (--this.#users > 0) return;
    this.#kept.clear();
    await this.#freed();
  }

  async #freed(): Promise<void> {
    await Promise.all(this.#leaving.splice(0));
  }

  async #compile(shape: StepShape): Promise<StepProgram> {
    const graph = stepGraph(this.#model, shape, this.#mode);
    const { batch, length, cache } = shape;
    const program = await this.#engine.compile(graph, {
      name: `decode ${batch} x ${length} after ${cache}`,
      repeated: updatesCache(shape),
      family: `decode ${sortOf(batch)} x ${sortOf(length)} after ${sortOf(cache)}`,
    });
    return { program, parameters: parametersOf(graph) };
  }
}

/** Sizes that have kernels of their own: none, one, several. */
function sortOf(size: number): string {
  return size < 2 ? String(size) : 'several';
}

async function free(entry: Promise<StepProgram>): Promise<void> {
  const compiled = await entry.catch(() => undefined);
  await compiled?.program.dispose();
}

/**
 * Inputs: inputIds and positions [batch, length], chosen [chosen] (rows of the flattened batch
 * whose logits are wanted), and with a cache lengths [batch] and keys and values [batch, heads,
 * cache, headDim] by layer. Outputs: logits [chosen, vocabulary], and by layer the new tokens' keys
 * and values [batch, heads, length, headDim], or with one token a row the cache with it.
 */
export function stepGraph(model: Model, shape: StepShape, mode: Trace['mode']): Graph {
  const { batch, length, cache, context, chosen } = shape;
  const graph = new Graph();
  const { numKeyValueHeads: heads, headDim } = model.architecture;
  const positions = graph.input('positions', 'int32', [batch, length]);
  const earlier: AttentionCache = {
    layer: (layer) => {
      if (cache === 0) return undefined;
      const [keys, values] = cacheNames(layer).map((name) =>
        graph.input(name, 'float32', [batch, heads, cache, headDim]),
      ) as [Value, Value];
      const lengths = graph.input('lengths', 'int32', [batch]);
      return updatesCache(shape)
        ? {
            keys,
            values,
            lengths,
            update: (...updated) => {
              cacheNames(layer).forEach((name, index) => graph.output(name, updated[index]!));
            },
          }
        : { keys, values, lengths };
    },
    keep: (layer, ...tokens) => {
      if (!updatesCache(shape)) {
        newNames(layer).forEach((name, index) =>
          graph.output(name, transpose(tokens[index]!, [0, 2, 1, 3])),
        );
      }
    },
  };
  const trace: Trace = {
    graph,
    model,
    batchSize: batch,
    length,
    contextLength: context,
    mode,
    positions,
    cache: earlier,
    input: (name): Value => graph.input(name, 'int32', [batch, length]),
    dropoutMask: () => {
      throw new Error('there is no dropout in inference');
    },
  };
  const { hidden, weight } = forward(trace);
  graph.output(
    'logits',
    model.build.logits(trace, {
      hidden: gather(hidden, graph.input('chosen', 'int32', [chosen])),
      weight,
    }),
  );
  return graph;
}
