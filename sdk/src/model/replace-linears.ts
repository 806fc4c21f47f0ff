// Computes linears of a model in another form of their weights: chosen by patterns, claimed, stored,
// and put into the building functions. Plugins define the form and its products.
import type { Logger } from '../logger.ts';
import type { Value } from '../graph/index.ts';
import type { LinearLayer } from './architecture.ts';
import { claimLinears } from './claims.ts';
import { linearsUnknown, noLinears } from './errors.ts';
import type { LinearClaim } from './linear-claim.ts';
import { storeLinears, type LinearForm, type StoredLinear } from './linear-store.ts';
import type { Model, Trace } from './model.ts';
import { matchingModules } from './module-patterns.ts';
import { wrap } from './wrap.ts';

/** The request to `replaceLinears`. `L` is what a plugin knows of a linear. */
export interface LinearReplacement<L extends LinearLayer = LinearLayer> {
  /** Name of the plugin. */
  readonly by: string;
  /** Section of its options, which are named in messages: `exclude` and `cacheDir`. */
  readonly section: string;
  /** See LinearClaim. */
  readonly how: string;
  /** Those of `chooseLinears`, with what the plugin knows of each. */
  readonly linears: readonly L[];
  readonly form: LinearForm<L>;
  /** The option `cacheDir`. */
  readonly cacheDir?: string | undefined;
  /** x W^T of a linear in its form. */
  readonly matmul: (trace: Trace, x: Value, linear: StoredLinear<L>) => Value;
  /**
   * The numbers of its weight in the file's layout, for plugins that use the weight in a program.
   * Default: those of the checkpoint.
   */
  readonly weight?: (trace: Trace, linear: StoredLinear<L>) => Value;
  readonly log: Logger;
}

/** Linears that are computed in another form. */
export interface ReplacedLinears<L extends LinearLayer = LinearLayer> {
  /** Set `active` to false to compute as before. */
  readonly claim: LinearClaim;
  /** By name. */
  readonly linears: ReadonlyMap<string, StoredLinear<L>>;
  /**
   * What a trace computes a linear with. Undefined where the linear is computed as before: it is not
   * replaced, its claim is not active, the traced view has other weights, or a parameter replaces
   * the weight.
   */
  stored(trace: Trace, layer: Pick<LinearLayer, 'name' | 'weight'>): StoredLinear<L> | undefined;
}

/** Which linears a plugin replaces. */
export interface LinearChoice {
  /** Section of the plugin's options, for messages: `qlora` for `qlora.exclude`. */
  readonly section: string;
  /** Patterns of linears of the blocks that are left as they are. */
  readonly exclude: readonly string[];
  /** Others that it takes beside those of the blocks: the head. */
  readonly also?: readonly LinearLayer[];
}

/**
 * The linears of a model's blocks that no pattern names, and `also`. Throws LMFLOW_LINEARS_UNKNOWN
 * for a pattern that matches none of the blocks', LMFLOW_LINEARS_NOTHING where nothing is left.
 */
export function chooseLinears(
  model: Model,
  { section, exclude, also = [] }: LinearChoice,
): readonly LinearLayer[] {
  const inBlocks = model.linears.filter(({ layer }) => layer !== undefined);
  const names = inBlocks.map(({ name }) => name);
  const named = exclude.map((pattern) =>
    matchingModules(names, pattern, { key: `${section}.exclude` }),
  );
  const unknown = exclude.find((_, index) => named[index]!.size === 0);
  if (unknown !== undefined) {
    const known = new Set(inBlocks.map(({ name }) => name.split('.').at(-1)!));
    throw linearsUnknown(`${section}.exclude`, unknown, [...known]);
  }
  const excluded = ({ name }: LinearLayer): boolean => named.some((some) => some.has(name));
  const chosen = [...inBlocks.filter((layer) => !excluded(layer)), ...also];
  if (chosen.length === 0) throw noLinears(model.source, section);
  return chosen;
}

/**
 * Makes (or finds) the form of the linears and wraps `matmul`, and `weight` where the replacement
 * has it. `model.read` and `model.weights` still have the checkpoint's numbers. Throws
 * LMFLOW_LINEARS_CLAIMED, LMFLOW_CACHE_UNWRITABLE. `refuseTrained` refuses trained weights later,
 * after all plugins have declared parameters.
 */
export async function replaceLinears<L extends LinearLayer>(
  model: Model,
  replacement: LinearReplacement<L>,
): Promise<ReplacedLinears<L>> {
  const { by, section, how, matmul, weight } = replacement;
  const wanted = new Set(replacement.linears.map(({ name }) => name));
  const claim = claimLinears(model, {
    plugin: by,
    how,
    linears: model.linears.flatMap(({ name }) => (wanted.has(name) ? [name] : [])),
    exclude: `${section}.exclude`,
  });
  const linears = await storeLinears(model, replacement);
  const stored: ReplacedLinears<L>['stored'] = ({ model: traced }, layer) =>
    claim.active && traced.weights === model.weights && !traced.parameters.has(layer.weight)
      ? linears.get(layer.name)
      : undefined;
  wrap(model, 'matmul', by, (inner) => (trace, x, layer) => {
    const linear = stored(trace, layer);
    return linear ? matmul(trace, x, linear) : inner(trace, x, layer);
  });
  if (weight) {
    const byWeight = new Map([...linears.values()].map(({ layer }) => [layer.weight, layer]));
    wrap(model, 'weight', by, (inner) => (trace, name) => {
      const layer = byWeight.get(name);
      const linear = layer && stored(trace, layer);
      return linear ? weight(trace, linear) : inner(trace, name);
    });
  }
  return { claim, linears, stored };
}
