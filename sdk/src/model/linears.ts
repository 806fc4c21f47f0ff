// Which linears a plugin computes in a way of its own: chosen by pattern, and claimed, so that two
// plugins do not take the same one.
import { type LMFlowError, usageError } from '../errors.ts';
import type { LinearLayer, Model } from './model.ts';

/**
 * Whether a module path is named: a pattern is a regular expression for the whole path or for its
 * end after a dot.
 */
export function matchesModule(name: string, pattern: string): boolean {
  return new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(name);
}

/** Whether a pattern is a regular expression. */
export function isModulePattern(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false;
  }
}

/** Linears that a plugin computes in a way of its own. */
export interface LinearClaim {
  readonly plugin: string;
  /**
   * All that decides their numbers, in words for the model card and the resume check: `in 4 bits
   * (nf4, double quantization)`.
   */
  readonly how: string;
  /** Their names. */
  readonly linears: readonly string[];
}

// By the weights, which a model shares with the copies that plugins make of it.
const claims = new WeakMap<Model['weights'], Map<string, Omit<LinearClaim, 'linears'>>>();

/**
 * Says that `plugin` computes these linears of the model, and how (see LinearClaim). Throws
 * LMFLOW_LINEARS_CLAIMED where another plugin does already.
 */
export function claimLinears(
  model: Model,
  layers: readonly LinearLayer[],
  plugin: string,
  how: string,
): void {
  const known = claims.get(model.weights) ?? new Map<string, Omit<LinearClaim, 'linears'>>();
  claims.set(model.weights, known);
  for (const { name } of layers) {
    const other = known.get(name);
    if (other !== undefined && other.plugin !== plugin) {
      throw linearsClaimed(name, other.plugin, plugin);
    }
  }
  const claim = { plugin, how };
  for (const { name } of layers) known.set(name, claim);
}

/** What plugins have claimed; all other linears are computed in float32. */
export function claimedLinears(model: Model): LinearClaim[] {
  const known = [...(claims.get(model.weights) ?? [])];
  return [...new Set(known.map(([, claim]) => claim))].map((claim) => ({
    ...claim,
    linears: known.filter(([, other]) => other === claim).map(([name]) => name),
  }));
}

/** LMFLOW_LINEARS_CLAIMED: two plugins want to compute the same linear. */
function linearsClaimed(name: string, first: string, second: string): LMFlowError {
  return usageError('LMFLOW_LINEARS_CLAIMED', `${first} and ${second} would both compute ${name}`, {
    hint: 'Load one of them, or leave the layer out of one (its option exclude).',
  });
}
