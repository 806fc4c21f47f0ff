// The errors of the int8-compute plugin, one builder each.
import { type LMFlowError, usageError } from '@lmflow/sdk';

export function nothingToCompute(source: string): LMFlowError {
  return usageError(
    'LMFLOW_INT8_NOTHING',
    `${source}: int8Compute.exclude leaves no linear of the blocks to compute in int8`,
    { hint: 'Leave the plugin int8-compute out, or exclude less.' },
  );
}

export function excludeUnknown(pattern: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_INT8_UNKNOWN_MODULE',
    `int8Compute.exclude: "${pattern}" matches no linear of the blocks`,
    { hint: `They end in: ${known.join(', ')}. The head is always computed in float32.` },
  );
}

/** Weights would be both computed in int8 and trained. */
export function trainedInInt8(name: string, count: number): LMFlowError {
  return usageError(
    'LMFLOW_INT8_TRAINED',
    `${name}${count > 1 ? ` and ${count - 1} more weights` : ''} would be both computed in int8 and trained`,
    {
      hint: 'Only frozen weights are computed in int8: train adapters on top (plugin lora), or name the layers in int8Compute.exclude.',
    },
  );
}
