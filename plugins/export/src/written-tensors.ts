// Reads an exported safetensors folder back: headers, names, shapes, and one tensor of each file
// against its source. GGUF files are read back in gguf/written.ts.
import { join } from 'node:path';
import { SafetensorsFile } from '@lmflow/sdk/formats';
import type { Model } from '@lmflow/sdk/model';
import { writtenDiffers } from './errors.ts';
import { readMerged } from './merged-weights.ts';

/** Throws LMFLOW_EXPORT_DIFFERS where a file is not what the model holds. */
export async function checkWritten(
  model: Model,
  directory: string,
  files: readonly string[],
): Promise<void> {
  const missing = new Set(model.weights.keys());
  for (const file of files.filter((name) => name.endsWith('.safetensors'))) {
    const opened = await SafetensorsFile.open(join(directory, file));
    for (const [name, { shape }] of opened.tensors) {
      const expected = model.parameters.get(name)?.shape ?? model.weights.get(name)?.shape ?? [];
      if (!missing.delete(name)) throw writtenDiffers(file, `${name} is not in the model`);
      if (shape.join() !== expected.join()) {
        throw writtenDiffers(
          file,
          `${name} is [${shape.join(', ')}], not [${expected.join(', ')}]`,
        );
      }
    }
    const last = [...opened.tensors.keys()].at(-1);
    if (last === undefined) continue;
    const [found, source] = [await opened.read(last), await readMerged(model, last)];
    const place = source.findIndex((number, index) => !Object.is(number, found[index]));
    if (place >= 0) {
      throw writtenDiffers(
        file,
        `number ${place} of ${last} is ${found[place]}, not ${source[place]}`,
      );
    }
  }
  const [left] = missing;
  if (left !== undefined) throw writtenDiffers(directory, `${left} is in no file`);
}
