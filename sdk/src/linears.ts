// Which linears a plugin computes in a way of its own: chosen by pattern, and claimed, so that two plugins do not take the same one.
import { LMFlowError } from './errors.ts';
import type { LinearLayer, Model } from './model.ts';

/** Whether a module path is named: a pattern is a regular expression for the whole path or for its end after a dot. */
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

const claims = new WeakMap<Model, Map<string, string>>();

/** Says that `plugin` computes these linears of the model. Throws LMFLOW_LINEARS_CLAIMED where another plugin does already. */
export function claimLinears(model: Model, layers: readonly LinearLayer[], plugin: string): void {
  const known = claims.get(model) ?? new Map<string, string>();
  claims.set(model, known);
  for (const { name } of layers) {
    const other = known.get(name);
    if (other !== undefined && other !== plugin) throw linearsClaimed(name, other, plugin);
  }
  for (const { name } of layers) known.set(name, plugin);
}

/** LMFLOW_LINEARS_CLAIMED: two plugins want to compute the same linear. */
function linearsClaimed(name: string, first: string, second: string): LMFlowError {
  return new LMFlowError('LMFLOW_LINEARS_CLAIMED', `${first} and ${second} would both compute ${name}`, { hint: 'Load one of them, or leave the layer out of one (its option exclude).' });
}
