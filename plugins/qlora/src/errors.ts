// The errors of the QLoRA plugin, one builder each.
import { type LMFlowError, usageError } from '@lmflow/sdk';

export function nothingToQuantize(source: string): LMFlowError {
  return usageError(
    'LMFLOW_QLORA_NOTHING',
    `${source}: qlora.exclude leaves no linear of the blocks to keep in 4 bits`,
    { hint: 'Leave the plugin qlora out, or exclude less.' },
  );
}

export function excludeUnknown(pattern: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_QLORA_UNKNOWN_MODULE',
    `qlora.exclude: "${pattern}" matches no linear of the blocks`,
    {
      hint: `They end in: ${known.join(', ')}. Embeddings, norms and the head are never quantized.`,
    },
  );
}

/** Weights would be both kept in 4 bits and trained. */
export function trainedInFourBits(name: string, count: number): LMFlowError {
  return usageError(
    'LMFLOW_QLORA_TRAINED',
    `${name}${count > 1 ? ` and ${count - 1} more weights` : ''} would be both kept in 4 bits and trained`,
    {
      hint: 'Train adapters on top (preset qlora, or the plugin lora), or name the layers in qlora.exclude.',
    },
  );
}
