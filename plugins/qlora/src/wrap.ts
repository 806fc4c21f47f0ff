// Puts 4-bit linears into a model: wraps `matmul` and `weight`. Adapters, which wrap `project`, do
// not notice.
import type { Logger } from '@lmflow/sdk';
import {
  claimLinears,
  matchesModule,
  type LinearLayer,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { transpose } from '@lmflow/sdk/graph';
import { excludeUnknown, nothingToQuantize, trainedInFourBits } from './errors.ts';
import { dequantizeNf4, matMulNf4, type PackedWeight } from './op.ts';
import type { QloraOptions } from './options.ts';
import { storeLinears, type StoredWeight } from './store.ts';

/**
 * The linears that are kept in 4 bits: those of the blocks that `exclude` does not name. Throws
 * where a pattern names none or nothing is left.
 */
export function quantizedLinears(model: Model, { exclude }: QloraOptions): LinearLayer[] {
  const inBlocks = model.linears.filter(({ layer }) => layer !== undefined);
  const unknown = exclude.find(
    (pattern) => !inBlocks.some(({ name }) => matchesModule(name, pattern)),
  );
  if (unknown !== undefined) {
    throw excludeUnknown(unknown, [
      ...new Set(inBlocks.map(({ name }) => name.split('.').at(-1)!)),
    ]);
  }
  const chosen = inBlocks.filter(
    ({ name }) => !exclude.some((pattern) => matchesModule(name, pattern)),
  );
  if (chosen.length === 0) throw nothingToQuantize(model.source);
  return chosen;
}

/**
 * Quantizes a model's linears and wraps its building functions. `model.read` and `model.weights`
 * keep giving the float weights.
 */
export async function quantizeModel(
  model: Model,
  options: QloraOptions,
  plugin: string,
  log: Logger,
): Promise<readonly LinearLayer[]> {
  const layers = quantizedLinears(model, options);
  claimLinears(
    model,
    layers,
    plugin,
    `in 4 bits (${options.quantType}${options.doubleQuant ? ', double quantization' : ''})`,
  );
  const stored = await storeLinears(model, layers, options, log);
  const byWeight = new Map(layers.map((layer) => [layer.weight, layer]));
  const { matmul, weight } = model.build;
  model.build.matmul = (trace, x, layer) =>
    byWeight.has(layer.weight)
      ? matMulNf4(x, packedWeight(trace, layer, stored.get(layer.name)!, options))
      : matmul(trace, x, layer);
  model.build.weight = (trace, name) => {
    const layer = byWeight.get(name);
    if (!layer) return weight(trace, name);
    const value = dequantizeNf4(packedWeight(trace, layer, stored.get(layer.name)!, options));
    return layer.layout === 'out-in' ? value : transpose(value, [1, 0]);
  };
  return layers;
}

/** Throws LMFLOW_QLORA_TRAINED where a weight in 4 bits was declared trainable. */
export function refuseTrained(model: Model, layers: readonly LinearLayer[]): void {
  const trained = layers.filter(({ weight }) => model.parameters.has(weight));
  if (trained.length > 0) throw trainedInFourBits(trained[0]!.weight, trained.length);
}

function packedWeight(
  { graph }: Trace,
  { weight, inFeatures, outFeatures }: LinearLayer,
  { packed, scales }: StoredWeight,
  { quantType }: QloraOptions,
): PackedWeight {
  return {
    packed: graph.weight(`${weight}:4bit`, packed),
    scales: graph.weight(`${weight}:scales`, scales),
    quantType,
    outFeatures,
    inFeatures,
  };
}
