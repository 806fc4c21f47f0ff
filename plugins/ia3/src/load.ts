// From options, or an adapter folder of PEFT, and a model to the adapter in force.
import { join } from 'node:path';
import { assignParameters, type Model } from '@lmflow/sdk/model';
import {
  adaptedLinears,
  adapterDoesNotFit,
  checkFields,
  CONFIG_FILE,
  namedModules,
  readAdapterConfig,
  readAdapterTensors,
  TENSOR_FILE,
  withoutBaseWeights,
  type AdapterTensors,
} from '@lmflow/sdk/peft';
import { Ia3Adapter } from './adapter.ts';
import { FIELDS } from './fields.ts';
import type { Ia3Options } from './options.ts';
import { freshVectors } from './targets.ts';
import { vectorOf } from './vector.ts';

/** Makes the adapter: fresh, or continuing `options.adapter`. */
export async function loadAdapter(model: Model, options: Ia3Options): Promise<Ia3Adapter> {
  const { adapter: folder } = options;
  if (folder === undefined) return new Ia3Adapter(model, freshVectors(model, options));
  const config = await readAdapterConfig(folder);
  checkFields(join(folder, CONFIG_FILE), config, FIELDS);
  const file = join(folder, TENSOR_FILE);
  const tensors = await withoutBaseWeights(model, await readTensors(folder), file);
  const layers = adaptedLinears(model.linears, {
    names: new Set([...tensors.keys()].flatMap((name) => /^(.*)\.ia3_l$/.exec(name)?.[1] ?? [])),
    modules: namedModules(config),
    file,
  });
  if (tensors.size === 0) throw adapterDoesNotFit(file, 'it has no tensors');
  // feedforward_modules may be an expression that only Python understands; the shapes say the same
  const vectors = layers.map((layer) => {
    const { shape } = tensors.get(`${layer.name}.ia3_l`)!;
    return vectorOf(layer, shape[0] === 1 && shape[1] === layer.inFeatures);
  });
  const adapter = new Ia3Adapter(model, vectors);
  await assignParameters(adapter.parameters, tensors, file);
  return adapter;
}

/** Puts the numbers of a checkpoint into an adapter. */
export async function restoreAdapter(adapter: Ia3Adapter, folder: string): Promise<void> {
  const file = join(folder, TENSOR_FILE);
  await assignParameters(adapter.parameters, await readTensors(folder), file);
}

// `.default` is the adapter's name inside PEFT, which some tools leave in files.
async function readTensors(folder: string): Promise<AdapterTensors> {
  const tensors = await readAdapterTensors(folder);
  return new Map(
    [...tensors].map(([name, tensor]) => [name.replace(/\.ia3_l\.default$/, '.ia3_l'), tensor]),
  );
}
