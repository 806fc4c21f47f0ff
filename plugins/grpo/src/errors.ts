// The errors of the grpo plugin, one builder each.
import { inputError, usageError, type LMFlowError } from '@lmflow/sdk';

/** The command lacks a model or data. */
export function settingMissing(key: 'model' | 'dataset', example: string): LMFlowError {
  return usageError(
    'LMFLOW_SETTING_MISSING',
    `grpo needs ${key === 'model' ? 'a model' : 'prompts'}: "${key}" is not set`,
    { hint: `Add --${key} ${example}, or ${key}: '${example}' in lmflow.config.ts.` },
  );
}

/** A key of the section `grpo` would have no effect. */
export function withoutEffect(key: string, why: string): LMFlowError {
  return usageError('LMFLOW_GRPO_NO_EFFECT', `grpo.${key} has no effect: ${why}`, {
    hint: `Leave out grpo.${key}, or change what it depends on.`,
  });
}

/** A round is no whole number of steps. */
export function roundUneven(microBatches: number, accumulation: number): LMFlowError {
  return usageError(
    'LMFLOW_GRPO_ROUND',
    `grpo.stepsPerGeneration is ${microBatches} micro-batches, but a step has ${accumulation} ` +
      '(gradientAccumulationSteps)',
    { hint: 'Set stepsPerGeneration to a multiple of gradientAccumulationSteps.' },
  );
}

/** There are fewer prompts than one round takes. */
export function tooFewPrompts(prompts: number, needed: number): LMFlowError {
  return inputError(
    'LMFLOW_GRPO_PROMPTS',
    `${prompts} prompts are too few: a round takes ${needed}`,
    {
      hint:
        'Give more prompts, or lower perDeviceTrainBatchSize, gradientAccumulationSteps or ' +
        'grpo.stepsPerGeneration.',
    },
  );
}

/** The model has no room for a prompt and an answer. */
export function contextTooShort(answer: number, context: number): LMFlowError {
  return usageError(
    'LMFLOW_GRPO_CONTEXT',
    `grpo.maxCompletionLength ${answer} leaves no room for a prompt: the model has ${context} positions`,
    { hint: 'Lower grpo.maxCompletionLength.' },
  );
}
