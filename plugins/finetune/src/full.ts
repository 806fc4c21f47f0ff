// Full finetuning: every weight of the checkpoint becomes a trainable parameter and is saved under
// its name.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { storeParameter, type Model } from '@lmflow/sdk/model';
import { openShards, SafetensorsFile } from '@lmflow/sdk/formats';
import { weightMissing, weightShape } from './errors.ts';

/**
 * Declares every weight trainable. Vectors (biases, norms) get no weight decay, as in the Hugging
 * Face Trainer.
 */
export async function trainAll(model: Model): Promise<void> {
  for (const [name, { shape }] of model.weights) {
    model.parameters.set(name, {
      name,
      shape,
      data: await model.read(name),
      decay: shape.length > 1,
    });
  }
}

/** Copies the weights of a saved model back into the parameters. */
export async function restoreAll(model: Model, directory: string): Promise<void> {
  const index = join(directory, 'model.safetensors.index.json');
  const files = existsSync(index)
    ? await openShards(directory)
    : [await SafetensorsFile.open(join(directory, 'model.safetensors'))];
  for (const parameter of model.parameters.values()) {
    const { name, shape } = parameter;
    const file = files.find(({ tensors }) => tensors.has(name));
    if (!file) throw weightMissing(directory, name);
    const found = file.tensors.get(name)!.shape;
    if (found.join() !== shape.join()) throw weightShape(file.path, name, found, shape);
    await storeParameter(parameter, await file.read(name));
  }
}
