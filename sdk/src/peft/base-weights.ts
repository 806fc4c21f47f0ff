// Weights of the base that PEFT writes beside an adapter (save_embedding_layers).
import type { Model } from '../model/index.ts';
import { adapterDoesNotFit } from './errors.ts';
import type { AdapterTensors } from './folder.ts';

/**
 * A file's tensors without weights that are the base's. Throws LMFLOW_ADAPTER_MISMATCH where one has
 * other numbers than the base: the adapter was made for that one.
 */
export async function withoutBaseWeights(
  model: Model,
  tensors: AdapterTensors,
  file: string,
): Promise<AdapterTensors> {
  const own = new Map(tensors);
  for (const [name, { data }] of tensors) {
    const weight = name.replace(/\.base_layer\.(weight|bias)$/, '.$1');
    if (!model.weights.has(weight)) continue;
    const base = await model.read(weight);
    if (data.length !== base.length || data.some((number, index) => number !== base[index])) {
      throw adapterDoesNotFit(file, `its ${name} has other numbers than the model's`);
    }
    own.delete(name);
  }
  return own;
}
