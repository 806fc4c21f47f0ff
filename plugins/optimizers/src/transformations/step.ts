// The end of most chains: the learning rate, and the update applied to the parameter.
import type { Parameter } from '@lmflow/sdk/model';
import { mul, sub } from '@lmflow/sdk/graph';
import type { Transformation } from '../chain.ts';

/** Multiplies the update by the learning rate, and by what `factor` says of the parameter. */
export function scaleByLearningRate(
  factor = (_parameter: Pick<Parameter, 'name' | 'shape'>): number => 1,
): Transformation {
  return {
    scalars: ({ learningRate, parameter }) => ({ rate: learningRate * factor(parameter) }),
    update: ({ update, scalars }) => ({ update: mul(update, scalars['rate']!) }),
  };
}

/** Subtracts the update from the parameter. */
export function applyUpdate(): Transformation {
  return { update: ({ parameter, update }) => ({ parameter: sub(parameter, update) }) };
}
