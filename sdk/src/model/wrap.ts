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
 * Replaces the building function `name` of a model by the result of `make`, and records `by` (a
 * plugin's name). `inner` is the function before: `wrap(model, 'matmul', by, (inner) => (trace, x,
 * layer) => ...)`. Wrapping a view does not change the functions of its model.
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
