// Which adapter answers: a view of the model by the name that a request gives.
import type { Model } from '@lmflow/sdk/model';
import { adapterUnknown } from './errors.ts';

/** The model with an adapter of it, or as it is; throws LMFLOW_GENERATE_ADAPTER_UNKNOWN. */
export function adapted(model: Model, adapter: string | undefined): Model {
  if (adapter === undefined) return model;
  const view = model.adapters?.get(adapter);
  if (!view) throw adapterUnknown(adapter, [...(model.adapters?.keys() ?? [])]);
  return view;
}
