// A model of two linears in memory, enough for what the plugin touches.
import type { BuildingFunctions, LinearLayer, Model, Trace } from '@lmflow/sdk/model';
import { Graph, matMul, type Value } from '@lmflow/sdk/graph';
import { loraOptions, type LoraOptions } from '../src/options.ts';

const linear = (
  name: string,
  outFeatures: number,
  layer: number | undefined,
  layout: LinearLayer['layout'] = 'out-in',
): LinearLayer => ({
  name,
  weight: `${name}.weight`,
  inFeatures: 6,
  outFeatures,
  layout,
  ...(layer === undefined ? {} : { layer }),
});

export const LINEARS: readonly LinearLayer[] = [
  linear('model.layers.0.self_attn.q_proj', 4, 0),
  linear('model.layers.0.self_attn.k_proj', 2, 0),
  linear('model.layers.1.self_attn.q_proj', 4, 1),
  linear('model.layers.1.mlp.c_fc', 3, 1, 'in-out'),
  linear('lm_head', 8, undefined),
];

/** Weights are filled with numbers that differ by place. */
export function tinyModel(): Model {
  const weights = new Map(
    LINEARS.map(({ weight, inFeatures, outFeatures, layout }, index) => {
      const shape = layout === 'out-in' ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
      const data = Float32Array.from({ length: inFeatures * outFeatures }, (_, place) =>
        Math.sin(index + place),
      );
      return [weight, { kind: 'memory', dtype: 'float32', shape, data }] as const;
    }),
  );
  const project: BuildingFunctions['project'] = ({ graph }, x, layers) =>
    layers.map(({ weight, layout }) =>
      matMul(x, graph.weight(weight, weights.get(weight)!), { transposeB: layout === 'out-in' }),
    );
  const weight: BuildingFunctions['weight'] = ({ graph }, name) =>
    graph.weight(name, weights.get(name)!);
  const matmul: BuildingFunctions['matmul'] = ({ graph }, x, layer) =>
    matMul(x, graph.weight(layer.weight, weights.get(layer.weight)!), {
      transposeB: layer.layout === 'out-in',
    });
  return {
    source: 'org/base',
    architecture: { tiedEmbeddings: false },
    linears: LINEARS,
    weights,
    parameters: new Map(),
    build: { project, weight, matmul },
    wraps: [],
    claims: [],
    read: (name: string) => Promise.resolve(Float32Array.from(weights.get(name)!.data)),
  } as unknown as Model;
}

/** The same with an embedding in place of the head, which shares its weights. */
export function tiedModel(): Model {
  const model = tinyModel();
  const { 'lm_head.weight': table, ...others } = Object.fromEntries(model.weights);
  const weights = new Map(Object.entries({ ...others, 'model.embed_tokens.weight': table! }));
  const read = (name: string): Promise<Float32Array> =>
    model.read(name === 'model.embed_tokens.weight' ? 'lm_head.weight' : name);
  return {
    ...model,
    weights,
    read,
    linears: LINEARS.slice(0, -1),
    architecture: { ...model.architecture, tiedEmbeddings: true, vocabularySize: 8, hiddenSize: 6 },
  };
}

/** A trace of five rows; dropout masks are inputs named after their site. */
export function trace(model: Model, mode: Trace['mode']): Trace & { readonly x: Value } {
  const graph = new Graph();
  return {
    graph,
    model,
    mode,
    batchSize: 1,
    length: 5,
    x: graph.input('x', 'float32', [5, 6]),
    dropoutMask: (site: string, shape: readonly number[]) => graph.input(site, 'uint8', shape),
  } as unknown as Trace & { readonly x: Value };
}

export function options(given: Record<string, unknown> = {}): LoraOptions {
  return loraOptions.parse(given);
}
