// The errors of the LISA plugin, one builder each.
import { type LMFlowError, usageError } from '@lmflow/sdk';

/** `lisa.layers` is more than the model has blocks. */
export function tooManyLayers(layers: number, blocks: number): LMFlowError {
  return usageError(
    'LMFLOW_LISA_LAYERS',
    `lisa.layers is ${layers}, but the model has ${blocks} blocks`,
    { hint: 'Choose fewer, or leave the plugin out to train every block at every step.' },
  );
}

/** No weight of the blocks is trained, or an adapter is trained instead. */
export function nothingToSample(adapter: string | undefined): LMFlowError {
  const reason =
    adapter === undefined ? 'none of them is trained' : `${adapter} trains an adapter instead`;
  return usageError(
    'LMFLOW_LISA_NOT_FULL',
    `lisa samples among the weights of the blocks, and ${reason}`,
    { hint: 'Use it with full finetuning (preset finetune), without an adapter.' },
  );
}

/** The checkpoint to resume from was made with other settings of LISA. */
export function settingsChanged(directory: string, changes: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_RESUME_CHANGED',
    `${directory} was made with other settings of lisa: ${changes.join(', ')}`,
    {
      hint: 'Set them back, or add --allow-config-change to continue with the new ones, as another run.',
    },
  );
}
