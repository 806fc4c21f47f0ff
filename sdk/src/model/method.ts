// Which plugin trains a model, and which one has its adapter: one of each, so that two never write
// the same parameters or files.
import { adapterTaken, methodTaken } from './errors.ts';
import type { Model } from './model.ts';
import type { Adapter } from './parameter.ts';
import type { TrainingMethod } from './training-method.ts';

/**
 * Says what trains the model; in the phases `adapters` and `parameters`. Throws
 * LMFLOW_METHOD_TAKEN where another plugin trains it that `refines` does not name.
 */
export function declareMethod(model: Model, method: TrainingMethod): void {
  const other = model.method;
  if (other && other.plugin !== method.plugin && other.plugin !== method.refines) {
    throw methodTaken(other, method);
  }
  const changed: { method?: TrainingMethod } = model;
  changed.method = method;
}

/** Puts an adapter on the model. Throws LMFLOW_ADAPTER_TAKEN where another plugin has put one. */
export function setAdapter(model: Model, adapter: Adapter): void {
  const other = model.adapter;
  if (other && other !== adapter) throw adapterTaken(model.source, other, adapter);
  const changed: { adapter?: Adapter } = model;
  changed.adapter = adapter;
}
