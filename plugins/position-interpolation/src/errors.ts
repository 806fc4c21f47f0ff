// The errors of position interpolation, one builder each.
import { type LMFlowError, inputError, usageError } from '@lmflow/sdk';

/** The model has learned positions, or none. */
export function notRotary(model: string, family: string): LMFlowError {
  return inputError(
    'LMFLOW_POSITIONS_NOT_ROTARY',
    `${model}: a model of the family ${family} has no rotary positions to interpolate`,
    { hint: 'Leave positionInterpolation out, or set positionInterpolation.enabled to false.' },
  );
}

/** The checkpoint already has another scaling of positions. */
export function alreadyStretched(model: string, found: string, wanted: string): LMFlowError {
  return usageError(
    'LMFLOW_POSITIONS_STRETCHED',
    `${model}: its positions are scaled already (${found}), which excludes ${wanted}`,
    { hint: 'Start from a checkpoint without rope scaling, or leave positionInterpolation out.' },
  );
}

/** An option belongs to another type. */
export function optionOfAnother(option: string, owner: string, type: string): LMFlowError {
  return usageError(
    'LMFLOW_POSITIONS_OPTION',
    `positionInterpolation.${option} belongs to type ${owner}, and type is ${type}`,
    { hint: `Leave it out, or set type to ${owner}.` },
  );
}

/** The ends of the ramp are in the wrong order. */
export function notAscending(low: string, high: string): LMFlowError {
  return usageError(
    'LMFLOW_POSITIONS_OPTION',
    `positionInterpolation.${low} must be less than ${high}`,
  );
}
