// The int8 copies of a model's linears: made one tensor at a time into files that the engine maps,
// or in memory for weights that have no file.
import type { Logger } from '@lmflow/sdk';
import { cacheFolder, derivedFile } from '@lmflow/sdk/files';
import { floatWeight, type LinearLayer, type Model } from '@lmflow/sdk/model';
import type { DType, WeightSource } from '@lmflow/sdk/graph';
import type { Int8Options } from './options.ts';
import { quantizeBoth, type Int8Linear } from './quantize.ts';

/** Changes when the content of the files does. */
const FORMAT = 1;
/** Each part of a file begins at a multiple of this. */
const ALIGNMENT = 64;

/** Sources of codes and scales of both directions. */
export interface StoredLinear {
  readonly forward: { readonly codes: WeightSource; readonly scales: WeightSource };
  readonly backward: { readonly codes: WeightSource; readonly scales: WeightSource };
}

/** By name of the linear. Peak memory is one tensor in float32 and its two copies. */
export async function storeLinears(
  model: Model,
  layers: readonly LinearLayer[],
  options: Int8Options,
  log: Logger,
): Promise<Map<string, StoredLinear>> {
  const folder = options.cacheDir ?? cacheFolder('int8-compute');
  const stored = new Map<string, StoredLinear>();
  let made = 0;
  for (const [place, layer] of layers.entries()) {
    const one = await storeLinear(model, layer, folder);
    if (one.made) log.progress(`quantizing to int8  ${place + 1}/${layers.length}`);
    made += Number(one.made);
    stored.set(layer.name, one.linear);
  }
  if (made > 0) log.info(`quantized ${made} linears to int8, once (kept in ${folder})`);
  return stored;
}

interface Part {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

async function storeLinear(
  model: Model,
  layer: LinearLayer,
  folder: string,
): Promise<{ readonly linear: StoredLinear; readonly made: boolean }> {
  const { inFeatures, outFeatures, layout } = layer;
  const parts: readonly Part[] = [
    { dtype: 'int8', shape: [inFeatures, outFeatures], byteLength: inFeatures * outFeatures },
    { dtype: 'float32', shape: [outFeatures], byteLength: 4 * outFeatures },
    { dtype: 'int8', shape: [outFeatures, inFeatures], byteLength: inFeatures * outFeatures },
    { dtype: 'float32', shape: [inFeatures], byteLength: 4 * inFeatures },
  ];
  const weight = floatWeight(model, layer.weight);
  const make = async (): Promise<Int8Linear> =>
    quantizeLinear(await model.read(layer.weight), layer);
  if (weight.kind === 'memory') {
    const arrays = arraysOf(await make());
    return {
      made: false,
      linear: linearOf(
        parts.map(({ dtype, shape }, index) => ({
          kind: 'memory',
          dtype,
          shape,
          data: arrays[index]!,
        })),
      ),
    };
  }
  const offsets = parts.map((_, index) =>
    parts.slice(0, index).reduce((sum, part) => sum + padded(part.byteLength), 0),
  );
  const { path, made } = await derivedFile({
    folder,
    setting: 'int8Compute.cacheDir',
    weight,
    byteLength: parts.reduce((sum, part) => sum + padded(part.byteLength), 0),
    key: { format: FORMAT, layout },
    make: async () =>
      arraysOf(await make()).flatMap((array) => [
        new Uint8Array(array.buffer),
        new Uint8Array(padded(array.byteLength) - array.byteLength),
      ]),
  });
  return {
    made,
    linear: linearOf(
      parts.map((part, index) => ({ kind: 'file', path, offset: offsets[index]!, ...part })),
    ),
  };
}

/** The copies of both directions, from a weight in the file's layout. */
export function quantizeLinear(
  numbers: Float32Array,
  { inFeatures, outFeatures, layout }: LinearLayer,
): Int8Linear {
  const { asStored, transposed } =
    layout === 'out-in'
      ? quantizeBoth(numbers, outFeatures, inFeatures)
      : quantizeBoth(numbers, inFeatures, outFeatures);
  return layout === 'out-in'
    ? { forward: transposed, backward: asStored }
    : { forward: asStored, backward: transposed };
}

function arraysOf({ forward, backward }: Int8Linear): (Int8Array | Float32Array)[] {
  return [forward.codes, forward.scales, backward.codes, backward.scales];
}

function linearOf(sources: readonly WeightSource[]): StoredLinear {
  const [codes, scales, otherCodes, otherScales] = sources as [
    WeightSource,
    WeightSource,
    WeightSource,
    WeightSource,
  ];
  return { forward: { codes, scales }, backward: { codes: otherCodes, scales: otherScales } };
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
