// The one way to replace a building function of a model. What the functions are:
// building-functions.ts.
import type { BuildingFunctions } from './building-functions.ts';
import type { Model } from './model.ts';

/** One replacement of a building function. */
export interface Wrap {
  readonly building: keyof BuildingFunctions;
  /** Name of the plugin. */
  readonly by: string;
}

/**
 * Replaces the building function `name` of a model by what `make` gives, and records that `by` (a
 * plugin's name) did. `inner` is the function that was there, for the rest: `wrap(model, 'matmul',
 * by, (inner) => (trace, x, layer) => ...)`. A view that is wrapped has building functions of its
 * own from then on; its model keeps its own.
 */
export function wrap<K extends keyof BuildingFunctions>(
  model: Model,
  name: K,
  by: string,
  make: (inner: BuildingFunctions[K]) => BuildingFunctions[K],
): void {
  const changed: { build: BuildingFunctions; wraps: readonly Wrap[] } = model;
  changed.build = { ...model.build, [name]: make(model.build[name]) };
  changed.wraps = [...model.wraps, { building: name, by }];
}
