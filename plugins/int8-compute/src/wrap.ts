// Puts int8 linears into a model: wraps `matmul`. Adapters, which wrap `project`, do not notice;
// `weight` keeps giving float numbers.
import type { Logger } from '@lmflow/sdk';
import {
  claimLinears,
  matchesModule,
  type LinearLayer,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { excludeUnknown, nothingToCompute, trainedInInt8 } from './errors.ts';
import { matMulInt8, type Direction } from './op.ts';
import type { Int8Options } from './options.ts';
import { storeLinears, type StoredLinear } from './store.ts';

/**
 * Switches a model between int8 and the computation beneath, for the self-check; looked at when a
 * program is traced.
 */
export interface Switch {
  readonly layers: readonly LinearLayer[];
  float: boolean;
}

/**
 * The linears that are computed in int8: those of the blocks that `exclude` does not name. Throws
 * where a pattern names none or nothing is left.
 */
export function int8Linears(model: Model, { exclude }: Int8Options): LinearLayer[] {
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
  if (chosen.length === 0) throw nothingToCompute(model.source);
  return chosen;
}

/** Makes the int8 copies of a model's linears and wraps its products. */
export async function computeInInt8(
  model: Model,
  options: Int8Options,
  plugin: string,
  log: Logger,
): Promise<Switch> {
  const layers = int8Linears(model, options);
  claimLinears(model, layers, plugin, 'in int8');
  const stored = await storeLinears(model, layers, options, log);
  const way: Switch = { layers, float: false };
  const { matmul } = model.build;
  model.build.matmul = (trace, x, layer) => {
    const linear = stored.get(layer.name);
    if (!linear || way.float) return matmul(trace, x, layer);
    return matMulInt8(
      x,
      direction(trace, layer, 'forward', linear),
      direction(trace, layer, 'backward', linear),
    );
  };
  return way;
}

/** Throws LMFLOW_INT8_TRAINED where a weight in int8 was declared trainable. */
export function refuseTrained(model: Model, layers: readonly LinearLayer[]): void {
  const trained = layers.filter(({ weight }) => model.parameters.has(weight));
  if (trained.length > 0) throw trainedInInt8(trained[0]!.weight, trained.length);
}

function direction(
  { graph }: Trace,
  { weight }: LinearLayer,
  which: keyof StoredLinear,
  linear: StoredLinear,
): Direction {
  const { codes, scales } = linear[which];
  return {
    codes: graph.weight(`${weight}:int8 ${which}`, codes),
    scales: graph.weight(`${weight}:int8 ${which} scales`, scales),
  };
}
