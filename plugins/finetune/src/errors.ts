// The errors of the finetune plugin, one builder each.
import { type LMFlowError, usageError, inputError } from '@lmflow/sdk';

/** The command lacks a model or data. */
export function settingMissing(key: 'model' | 'dataset', example: string): LMFlowError {
  return usageError(
    'LMFLOW_SETTING_MISSING',
    `finetune needs ${key === 'model' ? 'a model' : 'data'}: "${key}" is not set`,
    { hint: `Add --${key} ${example}, or ${key}: '${example}' in lmflow.config.ts.` },
  );
}

/** A checkpoint to resume from lacks a trained weight. */
export function weightMissing(file: string, name: string): LMFlowError {
  return inputError('LMFLOW_RESUME_INCOMPLETE', `${file}: the tensor ${name} is missing`, {
    hint: 'Resume from an earlier checkpoint.',
  });
}

/** A weight in a checkpoint to resume from has another shape than the model's. */
export function weightShape(
  file: string,
  name: string,
  found: readonly number[],
  expected: readonly number[],
): LMFlowError {
  return inputError(
    'LMFLOW_RESUME_INCOMPLETE',
    `${file}: ${name} is [${found.join(', ')}], the model needs [${expected.join(', ')}]`,
    { hint: 'Resume from an earlier checkpoint.' },
  );
}
