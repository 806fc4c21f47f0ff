// The errors of position interpolation, one builder each.
import { type LMFlowError, inputError, usageError } from '@lmflow/sdk';

/** The model has learned positions, or none. */
export function notRotary(model: string, family: string): LMFlowError {
  return inputError(
    'LMFLOW_POSITIONS_NOT_ROTARY',
    `${model}: a model of the family ${family} has no rotary positions that could be stretched`,
    {
      hint: 'Position interpolation is for models with rotary embedding (llama, mistral, qwen2, qwen3). Leave positionInterpolation out, or set positionInterpolation.enabled to false.',
    },
  );
}

/** The checkpoint is stretched already, in another way. */
export function alreadyStretched(model: string, found: string, wanted: string): LMFlowError {
  return usageError(
    'LMFLOW_POSITIONS_STRETCHED',
    `${model}: its positions are stretched already (${found}); ${wanted} cannot be put on top`,
    {
      hint: 'Start from a checkpoint without rope scaling, or keep its own: leave positionInterpolation out, or set positionInterpolation.enabled to false.',
    },
  );
}

/** An option of another kind of stretching. */
export function optionOfAnother(option: string, owner: string, type: string): LMFlowError {
  return usageError(
    'LMFLOW_POSITIONS_OPTION',
    `positionInterpolation.${option} belongs to type ${owner}, and type is ${type}`,
    { hint: `Leave it out, or set type to ${owner}.` },
  );
}

/** Numbers that make no ramp. */
export function notAscending(low: string, high: string): LMFlowError {
  return usageError(
    'LMFLOW_POSITIONS_OPTION',
    `positionInterpolation.${low} must be less than ${high}`,
  );
}
