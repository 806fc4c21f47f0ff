// The errors of answers that are compared, one builder each; those of all data are in ../errors.ts.
import { inputError, usageError, type LMFlowError, type PreferenceSamples } from '@lmflow/sdk';

/** Answers that are compared were given where records with one answer to learn are needed. */
export function preference(name: string): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_PREFERENCE',
    `${name} holds preferences (chosen and rejected answers, or answers with a label), which ` +
      'finetuning cannot learn from',
    {
      hint:
        'Use it with a preference method (DPO, reward modelling), give a dataset with one answer ' +
        "per record, or say which format it is (format: 'prompt_completion').",
    },
  );
}

/** Prompts without answers were given where answers are learned. */
export function promptsAlone(name: string): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_PROMPTS',
    `${name} holds prompts without answers, which nothing can be learned from as they are`,
    {
      hint:
        'Use it with a method that draws answers itself (lmflow raft), or give a dataset with ' +
        'answers.',
    },
  );
}

/** A record that a preference method is to learn from has no answers that it can compare. */
export function notPaired(where: string, kind: string, wanted: PreferenceSamples): LMFlowError {
  const needed =
    wanted === 'pairs'
      ? 'pairs of a chosen and a rejected answer'
      : 'answers with a label, or pairs of a chosen and a rejected one';
  return inputError(
    'LMFLOW_DATASET_NOT_PAIRED',
    `${where} holds records of the kind ${kind}, but the method compares answers: it needs ${needed}`,
    { hint: 'Give data like { prompt, chosen, rejected }; its notes list all formats.' },
  );
}

/** An option of the data has no effect on answers that are compared. */
export function preferenceSetting(key: string, why: string): LMFlowError {
  return usageError(
    'LMFLOW_DATASET_SETTING',
    `the setting ${key} has no effect on answers that are compared: ${why}`,
    { hint: `Leave out ${key}.` },
  );
}
