// The 4-bit form of a model's linears: quantized one tensor at a time into files that the engine
// maps, or in memory for weights that have no file.
import type { Logger } from '@lmflow/sdk';
import { cacheFolder, derivedFile } from '@lmflow/sdk/files';
import { floatWeight, type LinearLayer, type Model } from '@lmflow/sdk/model';
import type { WeightSource } from '@lmflow/sdk/graph';
import { quantize, sizesOf, type Quantized } from './codes.ts';
import type { QloraOptions } from './options.ts';
import { dequantizeScales, quantizeScales } from './scales.ts';

/** Changes when the content of the files does. */
const FORMAT = 1;
/** Scales begin at a multiple of this in a file. */
const ALIGNMENT = 64;

export interface StoredWeight {
  readonly packed: WeightSource;
  readonly scales: WeightSource;
}

/**
 * Quantizes what is not in the cache yet; by name of the linear. Peak memory is one tensor in
 * float32.
 */
export async function storeLinears(
  model: Model,
  layers: readonly LinearLayer[],
  options: QloraOptions,
  log: Logger,
): Promise<Map<string, StoredWeight>> {
  const folder = options.cacheDir ?? cacheFolder('qlora');
  const stored = new Map<string, StoredWeight>();
  let made = 0;
  for (const [place, layer] of layers.entries()) {
    const one = await storeLinear(model, layer, options, folder);
    if (one.made) log.progress(`quantizing to 4 bits  ${place + 1}/${layers.length}`);
    made += Number(one.made);
    stored.set(layer.name, one.weight);
  }
  if (made > 0) {
    log.info(`quantized ${made} linears to ${options.quantType}, once (kept in ${folder})`);
  }
  return stored;
}

async function storeLinear(
  model: Model,
  layer: LinearLayer,
  options: QloraOptions,
  folder: string,
): Promise<{ readonly weight: StoredWeight; readonly made: boolean }> {
  const { inFeatures, outFeatures, layout } = layer;
  const { bytes, blocks } = sizesOf(inFeatures * outFeatures);
  const weight = floatWeight(model, layer.weight);
  const make = async (): Promise<Quantized> =>
    quantizeLinear(await model.read(layer.weight), layer, options);
  if (weight.kind === 'memory') {
    const { packed, scales } = await make();
    return {
      made: false,
      weight: {
        packed: { kind: 'memory', dtype: 'uint8', shape: [bytes], data: packed },
        scales: { kind: 'memory', dtype: 'float32', shape: [blocks], data: scales },
      },
    };
  }
  const offset = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  const { path, made } = await derivedFile({
    folder,
    setting: 'qlora.cacheDir',
    weight,
    byteLength: offset + blocks * 4,
    key: { format: FORMAT, quantType: options.quantType, doubleQuant: options.doubleQuant, layout },
    make: async () => {
      const { packed, scales } = await make();
      return [packed, new Uint8Array(offset - bytes), new Uint8Array(scales.buffer)];
    },
  });
  return {
    made,
    weight: {
      packed: { kind: 'file', path, offset: 0, byteLength: bytes, dtype: 'uint8', shape: [bytes] },
      scales: {
        kind: 'file',
        path,
        offset,
        byteLength: blocks * 4,
        dtype: 'float32',
        shape: [blocks],
      },
    },
  };
}

/**
 * Blocks run along [outFeatures, inFeatures] whatever the file's layout, as in bitsandbytes. Double
 * quantization is undone here: the op takes float32 scales.
 */
export function quantizeLinear(
  numbers: Float32Array,
  { inFeatures, outFeatures, layout }: LinearLayer,
  { quantType, doubleQuant }: QloraOptions,
): Quantized {
  const { packed, scales } = quantize(
    layout === 'out-in' ? numbers : transposed(numbers, inFeatures, outFeatures),
    quantType,
  );
  return { packed, scales: doubleQuant ? dequantizeScales(quantizeScales(scales)) : scales };
}

function transposed(numbers: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(numbers.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = numbers[row * columns + column]!;
    }
  }
  return result;
}
