// The weights that a model computes with: trained ones from memory, with what the adapter adds.
import { loadParameter, type Model } from '@lmflow/sdk/model';
import { outOfRange } from './errors.ts';

/** A weight in float32, in the file's layout, with what the adapter adds. */
export async function readMerged(model: Model, name: string): Promise<Float32Array> {
  const parameter = model.parameters.get(name);
  const numbers = await (parameter ? loadParameter(parameter) : model.read(name));
  const delta = model.adapter?.delta(name, numbers);
  return delta ? numbers.map((number, index) => number + delta[index]!) : numbers;
}

/**
 * Throws LMFLOW_EXPORT_RANGE where float16 cannot hold a number. (A scale of a block is float16
 * too, and no larger than the numbers.)
 */
export function checkRange(tensor: string, numbers: Float32Array): void {
  for (const number of numbers) if (!(Math.abs(number) < 65520)) throw outOfRange(tensor, number);
}
