// Everything that can be wrong with the section `gradientCheckpointing`.
import { type LMFlowError, usageError } from '@lmflow/sdk';

/** LMFLOW_CONFIG_CONFLICT: no block would be computed again. */
export function everyTooLarge(every: number, layers: number): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_CONFLICT',
    `gradientCheckpointing.every is ${every}, and the model has ${layers} blocks: none would be computed again`,
    {
      hint: 'Lower it, or set gradientCheckpointing: false.',
    },
  );
}

/**
 * LMFLOW_CONFIG_CONFLICT: two ways to say which blocks are computed again, or a way that none is.
 */
export function bothGiven(): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_CONFLICT',
    'gradientCheckpointing.every and gradientCheckpointing.memoryBudget both say which blocks are computed again',
    {
      hint: 'Leave one of them out.',
    },
  );
}
