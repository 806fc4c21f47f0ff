// The errors of the reward-model plugin, one builder each.
import { inputError, usageError, type LMFlowError } from '@lmflow/sdk';

/** A command lacks a model, data or a file. */
export function settingMissing(command: string, what: string, hint: string): LMFlowError {
  return usageError('LMFLOW_SETTING_MISSING', `${command} needs ${what}`, { hint });
}

/** The model to score with is a language model without a trained head. */
export function noRewardHead(source: string): LMFlowError {
  return inputError(
    'LMFLOW_REWARD_NO_HEAD',
    `${source} is a language model: it has no head that scores answers`,
    {
      hint:
        'Name a folder that reward-model wrote, or the base of its adapter as the model and the ' +
        'adapter with --lora-adapter.',
    },
  );
}

/** A record of the file to score has no prompt, or no list of answers. */
export function recordInvalid(file: string, record: number, expected: string): LMFlowError {
  return inputError(
    'LMFLOW_REWARD_RECORD',
    `${file}, record ${record}: a record to score needs ${expected}`,
    { hint: 'Write records like { "input": "...", "output": [{ "text": "..." }] }.' },
  );
}
