// Replaces a building function of a model and records which plugin did. The functions are in
// model.ts.
import type { BuildingFunctions, Model, Wrap } from './model.ts';

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
