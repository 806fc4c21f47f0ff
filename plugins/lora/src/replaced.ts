// Frozen weights that an adapter brings along in place of the base's: embedding and head that PEFT
// saves beside it (save_embedding_layers).
import { wrap, type Model, type Parameter } from '@lmflow/sdk/model';
import type { AdapterTensors } from '@lmflow/sdk/peft';
import { LoraAdapter } from './adapter.ts';
import { vocabularyDiffers } from './errors.ts';
import { embeddingWeight, HEAD_WEIGHT } from './tied.ts';

/** Wraps `weight`: the adapter's numbers as constants, where it has some and they are not trained. */
export function replaceWeights(model: Model, by: string): void {
  wrap(model, 'weight', by, (inner) => (trace, name) => {
    const { adapter, parameters } = trace.model;
    const own = adapter instanceof LoraAdapter ? adapter.replaced.get(name) : undefined;
    if (!own || parameters.has(name)) return inner(trace, name);
    return trace.graph.weight(`${name} of the adapter`, {
      kind: 'memory',
      dtype: 'float32',
      ...own,
    });
  });
}

/** A file's tensors, apart: those of the adapter, and weights of the base that lie beside them. */
export interface Carried {
  readonly own: AdapterTensors;
  /** By the name of the weight; only where the numbers are others than the base's. */
  readonly carried: AdapterTensors;
}

/**
 * Takes a file's tensors apart. `trained`: weights that are parameters. Throws
 * LMFLOW_ADAPTER_MISMATCH where a weight has another shape than the base's.
 */
export async function carriedWeights(
  model: Model,
  tensors: AdapterTensors,
  trained: readonly Parameter[],
  file: string,
): Promise<Carried> {
  const parameters = new Set(trained.map(({ name }) => name));
  const own = new Map(tensors);
  const carried = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { shape, data }] of tensors) {
    const weight = name.replace(/\.base_layer\.(weight|bias)$/, '.$1');
    const source = model.weights.get(weight);
    if (parameters.has(weight)) {
      own.delete(name);
      own.set(weight, { shape, data });
    }
    if (!source || parameters.has(weight)) continue;
    if (source.shape.join() !== shape.join()) {
      throw vocabularyDiffers(file, name, shape, source.shape);
    }
    own.delete(name);
    const base = await model.read(weight);
    if (data.some((number, index) => number !== base[index])) carried.set(weight, { shape, data });
  }
  const head = own.get(HEAD_WEIGHT);
  if (head && isCopy(model, tensors, parameters, head.data)) own.delete(HEAD_WEIGHT);
  return { own, carried };
}

/**
 * For a model whose head was taken from the embedding: what a file brings for one of them is for the
 * other too, since PEFT keeps one frozen weight. `trained`: names of weights that are parameters.
 */
export function forTheOther(
  model: Model,
  carried: AdapterTensors,
  trained: ReadonlySet<string>,
): AdapterTensors {
  const names = [embeddingWeight(model)!, HEAD_WEIGHT];
  const brought = names.map((name) => carried.get(name)).find((tensor) => tensor !== undefined);
  const others = names.filter((name) => !carried.has(name) && !trained.has(name));
  return new Map(brought ? others.map((name) => [name, brought] as const) : []);
}

/** Whether numbers are those of a tied embedding that lies beside them and is not trained. */
function isCopy(
  { architecture: { tiedEmbeddings, vocabularySize }, weights }: Model,
  tensors: AdapterTensors,
  trained: ReadonlySet<string>,
  head: Float32Array,
): boolean {
  if (!tiedEmbeddings) return false;
  const embedding = [...tensors].find(
    ([name, { shape }]) => weights.has(name) && shape.length === 2 && shape[0] === vocabularySize,
  );
  if (!embedding || trained.has(embedding[0])) return false;
  const { data } = embedding[1];
  return head.length === data.length && head.every((number, index) => number === data[index]);
}
