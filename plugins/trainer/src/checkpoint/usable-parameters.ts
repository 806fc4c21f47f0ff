// Whether what a run has trained can be used: a checkpoint or a result of other numbers is not
// written.
import { loadParameter, type Model } from '@lmflow/sdk/model';
import { parametersUnusable } from '../errors.ts';

/** No weight of a model comes near it: products of larger ones leave float32. */
const LARGEST = 1e10;

/**
 * Throws LMFLOW_PARAMETERS_UNUSABLE where a parameter holds NaN, infinity or a number beyond 1e10.
 * `checkpoint`: the last one that was written.
 */
export async function checkUsable(
  { parameters }: Model,
  step: number,
  checkpoint: string | undefined,
): Promise<void> {
  for (const parameter of parameters.values()) {
    const numbers = await loadParameter(parameter);
    const found = numbers.find((number) => !(Math.abs(number) <= LARGEST));
    if (found !== undefined) throw parametersUnusable(parameter.name, found, step, checkpoint);
  }
}
