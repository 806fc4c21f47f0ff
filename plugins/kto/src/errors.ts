// The errors of the kto plugin, one builder each.
import { inputError, usageError, type LMFlowError } from '@lmflow/sdk';

/** The command lacks a model or data. */
export function settingMissing(key: 'model' | 'dataset', example: string): LMFlowError {
  return usageError(
    'LMFLOW_SETTING_MISSING',
    `kto needs ${key === 'model' ? 'a model' : 'data'}: "${key}" is not set`,
    { hint: `Add --${key} ${example}, or ${key}: '${example}' in lmflow.config.ts.` },
  );
}

/** A step has one answer alone, which cannot be mismatched with another. */
export function stepTooSmall(step: number): LMFlowError {
  return usageError(
    'LMFLOW_KTO_BATCH',
    `step ${step} has one answer alone, but kto compares each prompt with the answer to another`,
    {
      hint:
        'Raise perDeviceTrainBatchSize or gradientAccumulationSteps, or set dataloaderDropLast ' +
        '(or kto.lossType: apo_zero_unpaired).',
    },
  );
}

/** All answers have one label. */
export function oneLabel(good: boolean): LMFlowError {
  return inputError(
    'LMFLOW_KTO_LABELS',
    `all training answers are labelled ${good ? 'good' : 'bad'}: there is nothing to compare`,
    { hint: 'Give data with good and bad answers.' },
  );
}
