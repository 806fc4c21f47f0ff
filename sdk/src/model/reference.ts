// What a policy is compared with while it is trained: the model as training finds it.
import type { Config } from '../config.ts';
import type { Model } from './model.ts';
import { withoutAdapter } from './view.ts';

/** The reference of a model that is trained. */
export interface ReferenceModel {
  /**
   * `adapter`: the model without the adapter that is trained, there at any time. `start`: the model
   * as it is before the first step, which training changes.
   */
  readonly kind: 'adapter' | 'start';
  /** In words. */
  readonly what: string;
  /** The model that it is now. */
  readonly model: Model;
}

/**
 * The reference of a model as training finds it. An adapter that is new is switched off; one that
 * training continues is a part of the reference, so that like whole weights it is only there before
 * the first step.
 */
export function referenceModel(model: Model, config: Config): ReferenceModel {
  const { adapter } = model;
  const trainsBase = [...model.parameters.keys()].some(
    (name) => !adapter?.parameters.some((parameter) => parameter.name === name),
  );
  if (adapter && !trainsBase && !continues(config, adapter.name)) {
    return {
      kind: 'adapter',
      what: 'the model without its adapter',
      model: withoutAdapter(model),
    };
  }
  const what = adapter
    ? 'the model with the adapter that training continues, as it is now'
    : 'the model as it is now';
  return { kind: 'start', what, model };
}

/** Whether the section of the adapter's method names the folder of an adapter; else it is a new one. */
function continues(config: Config, method: string): boolean {
  const section = config[method];
  return (
    typeof section === 'object' &&
    section !== null &&
    typeof (section as Readonly<Record<string, unknown>>)['adapter'] === 'string'
  );
}
