// The errors of the quantize plugin, one builder each.
import { type LMFlowError, usageError, inputError } from '@lmflow/sdk';

/** LMFLOW_QUANTIZE_NOTHING: no matrix has rows of whole blocks. */
export function nothingToQuantize(source: string, blockSizes: readonly number[]): LMFlowError {
  return usageError(
    'LMFLOW_QUANTIZE_NOTHING',
    `${source}: blocks of ${blockSizes.join(' and ')} divide the columns of no matrix`,
    { hint: 'Set quantize.blockSize to a smaller size.' },
  );
}

/** `lmflow quantize` lacks a setting. */
export function settingMissing(key: string, example: string): LMFlowError {
  return usageError('LMFLOW_SETTING_MISSING', `quantize needs "${key}", which is not set`, {
    hint: `Add ${example}.`,
  });
}

/** The text for the perplexity cannot be used. */
export function textUnusable(source: string, what: string, cause?: unknown): LMFlowError {
  return inputError('LMFLOW_QUANTIZE_TEXT', `perplexity: ${source} ${what}`, {
    cause,
    hint: 'Name a plain text file: --text FILE.',
  });
}

/** A linear has a row for each input, which the folder format does not have. */
export function layoutUnfit(source: string, linear: string, family: string): LMFlowError {
  return inputError(
    'LMFLOW_QUANTIZE_LAYOUT',
    `${source}: ${linear} (family ${family}) has a row for each input, unlike the format of quantized folders`,
    { hint: 'Leave outputDir out to quantize the model into the cache.' },
  );
}

/** The model is quantized already. */
export function alreadyQuantized(source: string): LMFlowError {
  return inputError('LMFLOW_QUANTIZE_ALREADY', `${source} is quantized already`, {
    hint: 'Quantize the checkpoint in floating point.',
  });
}
