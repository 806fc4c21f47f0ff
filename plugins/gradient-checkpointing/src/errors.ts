// Everything that can be wrong with the section `gradientCheckpointing`.
import { type LMFlowError, usageError } from '@lmflow/sdk';

/** LMFLOW_CONFIG_CONFLICT: no block is computed again. */
export function everyTooLarge(every: number, layers: number): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_CONFLICT',
    `gradientCheckpointing.every is ${every}, more than the ${layers} blocks of the model`,
    {
      hint: 'Lower it, or set gradientCheckpointing: false.',
    },
  );
}

/** LMFLOW_CONFIG_CONFLICT: two options choose which blocks are computed again. */
export function bothGiven(): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_CONFLICT',
    'gradientCheckpointing.every and .memoryBudget both choose which blocks are computed again',
    {
      hint: 'Leave one of them out.',
    },
  );
}
