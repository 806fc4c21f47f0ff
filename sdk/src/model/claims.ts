// Which plugin computes which linears in another form than float32: kept on the model for the model
// card and the resume check, and so that no two plugins replace the same linear.
import { linearsClaimed, linearsTrained } from './errors.ts';
import type { LinearClaim } from './linear-claim.ts';
import type { Model } from './model.ts';

/**
 * Records that a plugin computes these linears of the model. Throws LMFLOW_LINEARS_CLAIMED where
 * another plugin already does. `replaceLinears` calls it.
 */
export function claimLinears(model: Model, claim: Omit<LinearClaim, 'active'>): LinearClaim {
  const wanted = new Set(claim.linears);
  for (const other of model.claims) {
    const both = other.linears.find((name) => wanted.has(name));
    if (both !== undefined && other.plugin !== claim.plugin) {
      throw linearsClaimed(both, other, claim);
    }
  }
  const made: LinearClaim = { ...claim, active: true };
  const changed: { claims: readonly LinearClaim[] } = model;
  changed.claims = [...model.claims, made];
  return made;
}

/**
 * Refuses weights that `plugin` has claimed and another one trains; for the phase `check`. Throws
 * LMFLOW_LINEARS_TRAINED.
 */
export function refuseTrained(model: Model, plugin: string): void {
  for (const claim of model.claims.filter((candidate) => candidate.plugin === plugin)) {
    const claimed = new Set(claim.linears);
    const trained = model.linears.filter(
      ({ name, weight }) => claimed.has(name) && model.parameters.has(weight),
    );
    if (trained.length > 0) throw linearsTrained(trained[0]!.weight, trained.length, claim);
  }
}
