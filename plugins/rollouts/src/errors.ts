// The errors of the rollouts plugin, one builder each.
import { inputError, type LMFlowError } from '@lmflow/sdk';

/** The data have no prompt that answers can be drawn to. */
export function noPrompts(name: string, dropped: number, maxTokens: number): LMFlowError {
  const why =
    dropped === 0
      ? 'it has no records with a prompt'
      : `all ${dropped} prompts have more than ${maxTokens} tokens`;
  return inputError('LMFLOW_ROLLOUTS_NO_PROMPTS', `${name}: no prompt to answer: ${why}`, {
    hint:
      dropped === 0
        ? 'Give records like { prompt }.'
        : 'Give shorter prompts, or leave them more room with fewer new tokens.',
  });
}
