// Weights that a program can be built with, out of those that a checkpoint has.
import { type LMFlowError, inputError } from '../errors.ts';
import type { WeightSource } from '../graph/index.ts';
import type { Model } from './model.ts';

/**
 * The place of a weight that the model has, in floating point. Throws LMFLOW_WEIGHT_PACKED where it
 * has it in a few bits alone.
 */
export function floatWeight(
  { source, weights }: Pick<Model, 'source' | 'weights'>,
  name: string,
): WeightSource {
  const weight = weights.get(name)!;
  if (weight.kind === 'packed') throw weightPacked(source, name, weight.bits);
  return weight;
}

/** LMFLOW_WEIGHT_PACKED: floats are needed of a weight that the checkpoint has in a few bits. */
function weightPacked(source: string, name: string, bits: number): LMFlowError {
  return inputError(
    'LMFLOW_WEIGHT_PACKED',
    `the model ${source} has "${name}" in ${bits} bits, with which only the plugin quantize computes`,
    {
      hint: 'Load it (it is in the preset inference), or take the checkpoint in floating point.',
    },
  );
}
