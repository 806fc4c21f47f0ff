// The numbers a model computes with: trained ones from memory, the adapter's share added.
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import { outOfRange } from './errors.ts';

/** A weight in float32 and the file's layout, with what the adapter adds to it. */
export async function readMerged(model: Model, name: string): Promise<Float32Array> {
  const numbers = model.parameters.get(name)?.data ?? (await model.read(name));
  const delta = model.adapter?.delta(name, numbers);
  return delta ? numbers.map((number, index) => number + delta[index]!) : numbers;
}

/** From rows of inputs to rows of outputs: a weight that the file has as `in-out`. */
export function turned(
  numbers: Float32Array,
  { inFeatures, outFeatures }: LinearLayer,
): Float32Array {
  const result = new Float32Array(numbers.length);
  for (let input = 0; input < inFeatures; input++) {
    for (let out = 0; out < outFeatures; out++) {
      result[out * inFeatures + input] = numbers[input * outFeatures + out]!;
    }
  }
  return result;
}

/**
 * Throws LMFLOW_EXPORT_RANGE where float16 cannot hold a number. (A scale of a block is float16
 * too, and no larger than the numbers.)
 */
export function checkRange(tensor: string, numbers: Float32Array): void {
  for (const number of numbers) if (!(Math.abs(number) < 65520)) throw outOfRange(tensor, number);
}
