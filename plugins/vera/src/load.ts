// From options, or an adapter folder of PEFT, and a model to the adapter in force.
import { join } from 'node:path';
import { assignParameters, type LinearLayer, type Model } from '@lmflow/sdk/model';
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
  type AdapterConfig,
  type AdapterTensors,
} from '@lmflow/sdk/peft';
import { VeraAdapter } from './adapter.ts';
import { FIELDS } from './fields.ts';
import type { VeraOptions } from './options.ts';
import { drawProjection, projectionSizes, type Projection } from './projection.ts';
import { targetLinears } from './targets.ts';
import { vectorsOf } from './vectors.ts';

const [A, B] = ['base_model.vera_A', 'base_model.vera_B'] as const;

/** Makes the adapter: fresh, or continuing `options.adapter`. */
export async function loadAdapter(model: Model, options: VeraOptions): Promise<VeraAdapter> {
  const { adapter: folder, r, dInitial, projectionPrngKey } = options;
  if (folder !== undefined) return readAdapter(model, folder);
  const layers = targetLinears(model, options);
  const vectors = layers.map((layer) => vectorsOf(layer, r, dInitial));
  return new VeraAdapter(model, vectors, drawProjection(projectionPrngKey, r, layers), options);
}

/** Puts the numbers of a checkpoint into an adapter; its random matrices are the same. */
export async function restoreAdapter(adapter: VeraAdapter, folder: string): Promise<void> {
  const tensors = await readVectors(folder);
  await assignParameters(adapter.parameters, tensors.vectors, join(folder, TENSOR_FILE));
}

async function readAdapter(model: Model, folder: string): Promise<VeraAdapter> {
  const config = await readAdapterConfig(folder);
  checkFields(join(folder, CONFIG_FILE), config, FIELDS);
  const file = join(folder, TENSOR_FILE);
  const { vectors: all, shared } = await readVectors(folder);
  const tensors = await withoutBaseWeights(model, all, file);
  const names = [...tensors.keys()].flatMap(
    (name) => /^(.*)\.vera_lambda_[bd]$/.exec(name)?.[1] ?? [],
  );
  const layers = adaptedLinears(model.linears, {
    names: new Set(names),
    modules: namedModules(config),
    file,
  });
  if (layers.length === 0) throw adapterDoesNotFit(file, 'it has no vectors');
  const rank = config['r'] as number;
  const settings = {
    veraDropout: (config['vera_dropout'] as number | null | undefined) ?? 0,
    dInitial: (config['d_initial'] as number | null | undefined) ?? 0.1,
    projectionPrngKey: (config['projection_prng_key'] as number | null | undefined) ?? 0,
  };
  // as in PEFT: save_projection decides, whether the file has matrices or not
  const projection =
    config['save_projection'] === false
      ? drawProjection(settings.projectionPrngKey, rank, layers)
      : readProjection(config, shared, layers, file);
  const adapter = new VeraAdapter(
    model,
    layers.map((layer) => vectorsOf(layer, rank, settings.dInitial)),
    projection,
    settings,
  );
  await assignParameters(adapter.parameters, tensors, file);
  return adapter;
}

function readProjection(
  config: AdapterConfig,
  shared: AdapterTensors,
  layers: readonly LinearLayer[],
  file: string,
): Projection {
  const rank = config['r'] as number;
  const { inFeatures, outFeatures } = projectionSizes(layers);
  const read = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = shared.get(name);
    if (!tensor) throw adapterDoesNotFit(file, `it has no ${name}, which save_projection promises`);
    if (tensor.shape.join() !== shape.join()) {
      const [found, wanted] = [tensor.shape.join(', '), shape.join(', ')];
      throw adapterDoesNotFit(file, `${name} is [${found}], the model needs [${wanted}]`);
    }
    return tensor.data;
  };
  return {
    rank,
    inFeatures,
    outFeatures,
    a: read(A, [rank, inFeatures]),
    b: read(B, [outFeatures, rank]),
  };
}

// `.default` is the adapter's name inside PEFT, which some tools leave in files.
async function readVectors(
  folder: string,
): Promise<{ readonly vectors: AdapterTensors; readonly shared: AdapterTensors }> {
  const all = [...(await readAdapterTensors(folder))].map(
    ([name, tensor]) => [name.replace(/(\.vera_\w+)\.default$/, '$1'), tensor] as const,
  );
  const isShared = (name: string): boolean => name === A || name === B;
  return {
    vectors: new Map(all.filter(([name]) => !isShared(name))),
    shared: new Map(all.filter(([name]) => isShared(name))),
  };
}
