// The errors of the dpo plugin, one builder each.
import { inputError, usageError, type LMFlowError } from '@lmflow/sdk';

/** The command lacks a model or data. */
export function settingMissing(key: 'model' | 'dataset', example: string): LMFlowError {
  return usageError(
    'LMFLOW_SETTING_MISSING',
    `dpo needs ${key === 'model' ? 'a model' : 'data'}: "${key}" is not set`,
    { hint: `Add --${key} ${example}, or ${key}: '${example}' in lmflow.config.ts.` },
  );
}

/** A key of the section `dpo` would have no effect. */
export function withoutEffect(key: string, why: string): LMFlowError {
  return usageError('LMFLOW_DPO_NO_EFFECT', `dpo.${key} has no effect: ${why}`, {
    hint: `Leave out dpo.${key}, or change what it depends on.`,
  });
}

/** `lossWeights` has not one weight for each loss. */
export function weightsUnequal(losses: number, weights: number): LMFlowError {
  return usageError(
    'LMFLOW_DPO_LOSSES',
    `dpo.lossWeights has ${weights} numbers, dpo.lossType ${losses} losses`,
    { hint: 'Give each loss one weight.' },
  );
}

/** A loss stands in `lossType` twice, or `sft` beside `rpoAlpha`. */
export function lossTwice(loss: string): LMFlowError {
  return usageError('LMFLOW_DPO_LOSSES', `dpo asks for the loss ${loss} twice`, {
    hint: 'Name it once, and say its weight in lossWeights.',
  });
}

/** No loss compares answers. */
export function noPairLoss(): LMFlowError {
  return usageError('LMFLOW_DPO_LOSSES', 'dpo.lossType: sft alone compares no answers', {
    hint: 'Add a loss of pairs, or train on the chosen answers with lmflow finetune.',
  });
}

/** exo_pair has no value without smoothing. */
export function smoothingMissing(): LMFlowError {
  return usageError('LMFLOW_DPO_LOSSES', 'dpo.lossType exo_pair needs labelSmoothing above 0', {
    hint: 'Set dpo.labelSmoothing, for example 0.001.',
  });
}

/** The reference is gone once training has begun, and shall not be computed before. */
export function referenceLost(why: string): LMFlowError {
  return usageError(
    'LMFLOW_DPO_REFERENCE',
    `dpo.precomputeRefLogProbs: false leaves no reference: ${why}`,
    { hint: 'Leave it out.' },
  );
}

/** rev_kl needs to know by how much answers are better. */
export function marginMissing(): LMFlowError {
  return inputError(
    'LMFLOW_DPO_MARGIN',
    'dpo.lossType rev_kl needs margins, and the data has none',
    { hint: 'Give records a margin, or lists of answers with scores.' },
  );
}
