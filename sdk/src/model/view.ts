// Views of a model: another adapter, other parameters, other weights, with the same building
// functions and no second copy of anything.
import type { Model } from './model.ts';

/** What a view may have in place of its model's. */
export type ViewChanges = Partial<
  Pick<
    Model,
    | 'parameters'
    | 'adapter'
    | 'adapters'
    | 'tokenizer'
    | 'weights'
    | 'read'
    | 'architecture'
    | 'config'
  >
>;

/**
 * A view of a model: it has `changes` and shares everything else, also what later plugins change in
 * the model. An explicit undefined removes a property (`{ adapter: undefined }`). What is wrapped in
 * a view stays in the view.
 */
export function view(model: Model, changes: ViewChanges): Model {
  const shared = Object.create(model) as Model;
  return Object.assign(shared, changes, { base: model });
}

/**
 * The model as it is without its adapter: none of the adapter's parameters is fed, and weights that
 * it replaces are the checkpoint's. Traced into separate programs it is the reference of a policy
 * that trains an adapter. For a model without an adapter it is the model itself.
 */
export function withoutAdapter(model: Model): Model {
  const { adapter } = model;
  if (!adapter) return model;
  const own = new Set(adapter.parameters.map(({ name }) => name));
  return view(model, {
    adapter: undefined,
    adapters: undefined,
    parameters: new Map([...model.parameters].filter(([name]) => !own.has(name))),
  });
}
