// The errors of the quantize plugin, one builder each.
import { type LMFlowError, usageError, inputError } from '@lmflow/sdk';

/** LMFLOW_QUANTIZE_NOTHING: no row of a matrix is a whole number of blocks. */
export function nothingToQuantize(source: string, blockSizes: readonly number[]): LMFlowError {
  return usageError(
    'LMFLOW_QUANTIZE_NOTHING',
    `${source}: blocks of ${blockSizes.join(' and ')} divide no matrix's columns, as the format of quantized folders wants`,
    { hint: 'Set quantize.blockSize to a smaller size.' },
  );
}

/** `lmflow quantize` lacks a setting. */
export function settingMissing(key: string, example: string): LMFlowError {
  return usageError('LMFLOW_SETTING_MISSING', `quantize needs "${key}", which is not set`, {
    hint: `Say ${example}.`,
  });
}

/** The text for the perplexity cannot be used. */
export function textUnusable(source: string, what: string, cause?: unknown): LMFlowError {
  return inputError('LMFLOW_QUANTIZE_TEXT', `perplexity: ${source} ${what}`, {
    cause,
    hint: 'Name a plain text file: --text FILE.',
  });
}

/** The folder format has no linears that are stored the other way round. */
export function layoutUnfit(source: string, linear: string, family: string): LMFlowError {
  return inputError(
    'LMFLOW_QUANTIZE_LAYOUT',
    `${source}: ${linear} is stored with a row for each input, as linears of the family ${family} are; the format of quantized folders has none of these`,
    {
      hint: 'Leave outputDir out: the model is quantized into the cache then, and used from there.',
    },
  );
}

/** The model to quantize has its weights in a few bits already. */
export function alreadyQuantized(source: string): LMFlowError {
  return inputError('LMFLOW_QUANTIZE_ALREADY', `${source} is quantized already`, {
    hint: 'Quantize the checkpoint in floating point.',
  });
}
