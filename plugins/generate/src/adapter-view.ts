// The view of a model with one of its adapters, by the name in a request. Adapters are loaded by
// @lmflow/plugin-lora.
import type { Model } from '@lmflow/sdk/model';
import { adapterUnknown } from './errors.ts';

/**
 * The model with the adapter of that name, or without one the model as it is; throws
 * LMFLOW_GENERATE_ADAPTER_UNKNOWN.
 */
export function modelWithAdapter(model: Model, adapter: string | undefined): Model {
  if (adapter === undefined) return model;
  const view = model.adapters?.get(adapter);
  if (!view) throw adapterUnknown(adapter, [...(model.adapters?.keys() ?? [])]);
  return view;
}
