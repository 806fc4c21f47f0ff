// A weight's numbers in floating point: where they are, and in which order.
import type { WeightSource } from '../graph/index.ts';
import type { LinearLayer } from './architecture.ts';
import { weightPacked } from './errors.ts';
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

/** A linear's numbers as rows [outFeatures, inFeatures], from those of the file's layout. */
export function outputRows(
  numbers: Float32Array,
  { inFeatures, outFeatures, layout }: Pick<LinearLayer, 'inFeatures' | 'outFeatures' | 'layout'>,
): Float32Array {
  if (layout === 'out-in') return numbers;
  const rows = new Float32Array(numbers.length);
  for (let input = 0; input < inFeatures; input++) {
    for (let output = 0; output < outFeatures; output++) {
      rows[output * inFeatures + input] = numbers[input * outFeatures + output]!;
    }
  }
  return rows;
}
