// The numbers a model computes with: trained ones from memory, the adapter's share added.
import type { Model } from '@lmflow/sdk';

/** A weight in float32 and the file's layout, with what the adapter adds to it. */
export async function readMerged(model: Model, name: string): Promise<Float32Array> {
  const numbers = model.parameters.get(name)?.data ?? await model.read(name);
  const delta = model.adapter?.delta(name, numbers);
  return delta ? numbers.map((number, index) => number + delta[index]!) : numbers;
}
