// The quantized form of a model's matrices: made one tensor at a time into files that the engine maps, or in memory for weights that have no file.
import { cacheFolder, derivedFile, floatWeight, isLMFlowError, type LinearLayer, type Logger, type Model } from '@lmflow/sdk';
import type { DType, WeightSource } from '@lmflow/sdk/graph';
import { blockSizes, quantize, type Quantized, type Scheme } from './blocks.ts';
import { cacheNotWritten } from './errors.ts';

/** Changes when the content of the files does. */
const FORMAT = 1;
/** Each part of a file begins at a multiple of this. */
const ALIGNMENT = 64;

/** A matrix to quantize: a linear, or the head's weight. */
export type Matrix = Pick<LinearLayer, 'name' | 'weight' | 'inFeatures' | 'outFeatures' | 'layout'> & { readonly scheme: Scheme };

export interface StoredMatrix extends Matrix {
  readonly packed: WeightSource;
  readonly scales: WeightSource;
  readonly zeroPoints?: WeightSource | undefined;
}

/** By name. Peak memory is one tensor in float32 and its codes. */
export async function storeMatrices(model: Model, matrices: readonly Matrix[], cacheDir: string | undefined, log: Logger): Promise<Map<string, StoredMatrix>> {
  const folder = cacheDir ?? cacheFolder('quantize');
  const stored = new Map<string, StoredMatrix>();
  let made = 0;
  for (const [place, matrix] of matrices.entries()) {
    const one = await storeMatrix(model, matrix, folder);
    if (one.made) log.progress(`quantizing  ${place + 1}/${matrices.length}`);
    made += Number(one.made);
    stored.set(matrix.name, one.stored);
  }
  if (made > 0) log.info(`quantized ${made} matrices, once (kept in ${folder})`);
  return stored;
}

interface Part { readonly dtype: DType; readonly shape: readonly number[]; readonly byteLength: number }

async function storeMatrix(model: Model, matrix: Matrix, folder: string): Promise<{ readonly stored: StoredMatrix; readonly made: boolean }> {
  const { inFeatures, outFeatures, layout, scheme } = matrix;
  const { blocks, blob, zeros } = blockSizes(inFeatures, scheme);
  const parts: readonly Part[] = [
    { dtype: 'uint8', shape: [outFeatures, blocks, blob], byteLength: outFeatures * blocks * blob },
    { dtype: 'float32', shape: [outFeatures, blocks], byteLength: 4 * outFeatures * blocks },
    ...(scheme.symmetric ? [] : [{ dtype: 'uint8' as const, shape: [outFeatures, zeros], byteLength: outFeatures * zeros }]),
  ];
  const weight = floatWeight(model, matrix.weight);
  const make = async (): Promise<(Uint8Array | Float32Array)[]> => {
    const { packed, scales, zeroPoints } = quantizeMatrix(await model.read(matrix.weight), matrix);
    return [packed, scales, ...(zeroPoints ? [zeroPoints] : [])];
  };
  const settled = ([packed, scales, zeroPoints]: readonly WeightSource[]): StoredMatrix => ({ ...matrix, packed: packed!, scales: scales!, zeroPoints });
  if (weight.kind === 'memory') {
    const arrays = await make();
    return { made: false, stored: settled(parts.map(({ dtype, shape }, index) => ({ kind: 'memory', dtype, shape, data: arrays[index]! }))) };
  }
  const offsets = parts.map((_, index) => parts.slice(0, index).reduce((sum, { byteLength }) => sum + padded(byteLength), 0));
  const { path, made } = await derivedFile({
    folder, weight, byteLength: parts.reduce((sum, { byteLength }) => sum + padded(byteLength), 0), key: { format: FORMAT, layout, scheme },
    make: async () => (await make()).flatMap((array) => [bytesOf(array), new Uint8Array(padded(array.byteLength) - array.byteLength)]),
  }).catch((error: unknown) => { throw isLMFlowError(error) ? error : cacheNotWritten(folder, error); });
  return { made, stored: settled(parts.map((part, index) => ({ kind: 'file', path, offset: offsets[index]!, ...part }))) };
}

/** A matrix in the file's layout, quantized along [outFeatures, inFeatures]. */
export function quantizeMatrix(numbers: Float32Array, { inFeatures, outFeatures, layout, scheme }: Matrix): Quantized {
  return quantize(layout === 'out-in' ? numbers : transposed(numbers, inFeatures, outFeatures), outFeatures, inFeatures, scheme);
}

function transposed(numbers: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(numbers.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) result[column * rows + row] = numbers[row * columns + column]!;
  return result;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
