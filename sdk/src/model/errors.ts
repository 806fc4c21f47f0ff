// The errors of models and their linears, one builder each.
import { inputError, usageError, type LMFlowError } from '../errors.ts';
import type { LinearClaim } from './linear-claim.ts';
import type { TrainingMethod } from './training-method.ts';

type Claimant = Pick<LinearClaim, 'plugin' | 'exclude'>;

/** LMFLOW_WEIGHT_PACKED: floats are needed of a weight that the checkpoint has in a few bits. */
export function weightPacked(source: string, name: string, bits: number): LMFlowError {
  return inputError(
    'LMFLOW_WEIGHT_PACKED',
    `the model ${source} has "${name}" in ${bits} bits, which only the plugin quantize reads`,
    {
      hint: 'Load the plugin quantize (preset inference), or take the checkpoint in floating point.',
    },
  );
}

/** LMFLOW_EXPRESSION_TOO_SLOW: a regular expression that names modules does not come to an end. */
export function expressionTooSlow(
  { key, file }: { readonly key: string; readonly file?: string | undefined },
  expression: string,
  limit: number,
): LMFlowError {
  const shown = expression.length > 80 ? `${expression.slice(0, 80)}...` : expression;
  return (file === undefined ? usageError : inputError)(
    'LMFLOW_EXPRESSION_TOO_SLOW',
    `${file === undefined ? '' : `${file}: `}${key}: the regular expression ${shown} was not done ` +
      `with the model's names after ${limit} ms`,
    { hint: 'Write it without a repetition inside a repetition, or list the names.' },
  );
}

/** LMFLOW_PARAMETERS_MISMATCH: a file's tensors are not the parameters that the model needs. */
export function parametersMismatch(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_PARAMETERS_MISMATCH', `${file} does not fit the model: ${what}`, {
    hint: 'Take a file that was trained on the same base model.',
  });
}

/** LMFLOW_LINEARS_CLAIMED: two plugins replace the same linear. */
export function linearsClaimed(name: string, first: Claimant, second: Claimant): LMFlowError {
  return usageError(
    'LMFLOW_LINEARS_CLAIMED',
    `${first.plugin} and ${second.plugin} both replace the linear ${name}`,
    { hint: `Load one of them, or name the layer in ${first.exclude} or ${second.exclude}.` },
  );
}

/** LMFLOW_LINEARS_TRAINED: a weight is trained that a plugin keeps in another form. */
export function linearsTrained(
  name: string,
  count: number,
  { how, exclude }: LinearClaim,
): LMFlowError {
  const [more, are] = count > 1 ? [` and ${count - 1} more weights`, 'are'] : ['', 'is'];
  return usageError(
    'LMFLOW_LINEARS_TRAINED',
    `${name}${more} ${are} both trained and computed ${how}`,
    {
      hint: `Train adapters on top (plugin lora), or name the layers in ${exclude}.`,
    },
  );
}

/** LMFLOW_LINEARS_UNKNOWN: a pattern matches no linear of the blocks. */
export function linearsUnknown(
  exclude: string,
  pattern: string,
  known: readonly string[],
): LMFlowError {
  return usageError(
    'LMFLOW_LINEARS_UNKNOWN',
    `${exclude}: "${pattern}" matches no linear of the blocks`,
    {
      hint: `Name linears of the blocks: ${known.join(', ')}.`,
    },
  );
}

/** LMFLOW_LINEARS_NOTHING: a plugin replaces none of a model's linears. */
export function noLinears(source: string, section: string): LMFlowError {
  return usageError(
    'LMFLOW_LINEARS_NOTHING',
    `${section}.exclude leaves no linear of ${source} for the plugin`,
    { hint: 'Exclude less, or leave the plugin out.' },
  );
}

/** LMFLOW_METHOD_TAKEN: two plugins want to train one model. */
export function methodTaken(first: TrainingMethod, second: TrainingMethod): LMFlowError {
  return usageError(
    'LMFLOW_METHOD_TAKEN',
    `${first.plugin} (${first.name}) and ${second.plugin} (${second.name}) would both train the model`,
    { hint: 'Load one of them.' },
  );
}

/** LMFLOW_ADAPTER_TAKEN: two plugins want to put an adapter on one model. */
export function adapterTaken(
  source: string,
  first: { readonly name: string },
  second: { readonly name: string },
): LMFlowError {
  return usageError(
    'LMFLOW_ADAPTER_TAKEN',
    `the model ${source} has an adapter of ${first.name}, and ${second.name} would replace it`,
    { hint: 'Load one of the two adapters.' },
  );
}

/** LMFLOW_PARAMETER_STORED: a plugin reads numbers from memory that a storage keeps elsewhere. */
export function parameterStored(name: string): LMFlowError {
  return usageError(
    'LMFLOW_PARAMETER_STORED',
    `the numbers of ${name} are behind a storage, not in memory`,
    {
      hint: 'Read them with loadParameter of @lmflow/sdk/model, or load no plugin that keeps parameters in files.',
    },
  );
}
