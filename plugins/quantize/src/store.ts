// The quantized form of a model's matrices: made one tensor at a time into files that the engine
// maps, those of a block that may share an input in one, or in memory for weights that have no
// file.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '@lmflow/sdk';
import { cacheFolder, derivedFile } from '@lmflow/sdk/files';
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import type { DType, WeightSource } from '@lmflow/sdk/graph';
import { blockSizes, quantize, type Quantized, type Scheme } from './blocks.ts';
import { filesOf, groupInPlace, repacked } from './packed.ts';

/** Changes when the content of the files does. */
const FORMAT = 2;
/** Each part of a file begins at a multiple of this. */
const ALIGNMENT = 64;

/** A matrix to quantize: a linear, or the head's weight. */
export type Matrix = Pick<
  LinearLayer,
  'name' | 'weight' | 'inFeatures' | 'outFeatures' | 'layout' | 'layer'
> & { readonly scheme: Scheme };

/**
 * Matrices of the same columns and scheme, one above the other: rows of several can be multiplied
 * at once.
 */
export interface StoredGroup {
  readonly scheme: Scheme;
  readonly inFeatures: number;
  /** uint8 [rows, blocks, blob] */
  readonly packed: WeightSource;
  /** float32 [rows, blocks] */
  readonly scales: WeightSource;
  /** uint8 [rows, zeros] */
  readonly zeroPoints?: WeightSource | undefined;
}

export interface StoredMatrix extends Matrix {
  readonly group: StoredGroup;
  /** The matrix's first row in its group. */
  readonly row: number;
}

/** By name. Peak memory is one tensor in float32 and a group's codes. */
export async function storeMatrices(
  model: Model,
  matrices: readonly Matrix[],
  cacheDir: string | undefined,
  log: Logger,
): Promise<Map<string, StoredMatrix>> {
  const folder = cacheDir ?? cacheFolder('quantize');
  const stored = new Map<string, StoredMatrix>();
  let made = 0;
  for (const group of groupsOf(model, matrices)) {
    const one = await storeGroup(model, group, folder);
    if (one.made) log.progress(`quantizing  ${stored.size + group.length}/${matrices.length}`);
    made += one.made ? group.length : 0;
    let row = 0;
    for (const matrix of group) {
      stored.set(matrix.name, { ...matrix, group: one.group, row });
      row += matrix.outFeatures;
    }
  }
  if (made > 0) log.info(`quantized ${made} matrices, once (kept in ${folder})`);
  return stored;
}

/** Rows from .. from + count - 1 of a part of a group. */
export function rowsOf(part: WeightSource, from: number, count: number): WeightSource {
  const [rows, ...rest] = part.shape as [number, ...number[]];
  const shape = [count, ...rest];
  if (part.kind === 'memory') {
    const width = part.data.length / rows;
    return { ...part, shape, data: part.data.subarray(from * width, (from + count) * width) };
  }
  const width = part.byteLength / rows;
  return { ...part, shape, offset: part.offset + from * width, byteLength: count * width };
}

/**
 * Neighbours of a block that can be read with the same input: q, k and v, or gate and up, among
 * others.
 */
export function groupsOf(model: Model, matrices: readonly Matrix[]): Matrix[][] {
  const groups: Matrix[][] = [];
  for (const matrix of matrices) {
    const first = groups.at(-1)?.[0];
    const kindOf = ({ weight }: Matrix): string => model.weights.get(weight)!.kind;
    const alike =
      first &&
      first.layer === matrix.layer &&
      first.inFeatures === matrix.inFeatures &&
      kindOf(first) === kindOf(matrix) &&
      isDeepStrictEqual(first.scheme, matrix.scheme);
    if (alike && matrix.layer !== undefined) groups.at(-1)!.push(matrix);
    else groups.push([matrix]);
  }
  return groups;
}

interface Part {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

async function storeGroup(
  model: Model,
  matrices: readonly Matrix[],
  folder: string,
): Promise<{ readonly group: StoredGroup; readonly made: boolean }> {
  const { inFeatures, scheme } = matrices[0]!;
  const { blocks, blob, zeros } = blockSizes(inFeatures, scheme);
  const rows = matrices.reduce((sum, { outFeatures }) => sum + outFeatures, 0);
  const parts: readonly Part[] = [
    { dtype: 'uint8', shape: [rows, blocks, blob], byteLength: rows * blocks * blob },
    { dtype: 'float32', shape: [rows, blocks], byteLength: 4 * rows * blocks },
    ...(scheme.symmetric
      ? []
      : [{ dtype: 'uint8' as const, shape: [rows, zeros], byteLength: rows * zeros }]),
  ];
  const settled = ([packed, scales, zeroPoints]: readonly WeightSource[]): StoredGroup => ({
    scheme,
    inFeatures,
    packed: packed!,
    scales: scales!,
    zeroPoints,
  });
  const weights = matrices.map((matrix) => model.weights.get(matrix.weight)!);
  const packed = weights.filter((weight) => weight.kind === 'packed');
  const inPlace = packed.length > 0 ? groupInPlace(packed, matrices[0]!) : undefined;
  if (inPlace) return { made: false, group: inPlace };
  const [weight, ...others] = weights.flatMap((source) =>
    source.kind === 'packed' ? filesOf(source) : source.kind === 'file' ? [source] : [],
  );
  if (!weight) {
    const arrays = await quantizeGroup(model, matrices, parts);
    return {
      made: false,
      group: settled(
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
    parts.slice(0, index).reduce((sum, { byteLength }) => sum + padded(byteLength), 0),
  );
  const { path, made } = await derivedFile({
    folder,
    setting: 'quantize.cacheDir',
    weight,
    others,
    byteLength: parts.reduce((sum, { byteLength }) => sum + padded(byteLength), 0),
    key: { format: FORMAT, layouts: matrices.map(({ layout }) => layout), scheme },
    make: async () =>
      (await quantizeGroup(model, matrices, parts)).flatMap((array) => [
        bytesOf(array),
        new Uint8Array(padded(array.byteLength) - array.byteLength),
      ]),
  });
  return {
    made,
    group: settled(
      parts.map((part, index) => ({ kind: 'file', path, offset: offsets[index]!, ...part })),
    ),
  };
}

/** The parts of a group, filled matrix after matrix. */
async function quantizeGroup(
  model: Model,
  matrices: readonly Matrix[],
  parts: readonly Part[],
): Promise<(Uint8Array | Float32Array)[]> {
  const arrays = parts.map(({ dtype, byteLength }) =>
    dtype === 'float32' ? new Float32Array(byteLength / 4) : new Uint8Array(byteLength),
  );
  const filled = arrays.map(() => 0);
  for (const matrix of matrices) {
    const weight = model.weights.get(matrix.weight)!;
    const { packed, scales, zeroPoints } =
      weight.kind === 'packed'
        ? await repacked(weight, matrix)
        : quantizeMatrix(await model.read(matrix.weight), matrix);
    [packed, scales, zeroPoints].forEach((numbers, index) => {
      if (!numbers) return;
      arrays[index]!.set(numbers, filled[index]);
      filled[index]! += numbers.length;
    });
  }
  return arrays;
}

/** A matrix in the file's layout, quantized along [outFeatures, inFeatures]. */
export function quantizeMatrix(
  numbers: Float32Array,
  { inFeatures, outFeatures, layout, scheme }: Matrix,
): Quantized {
  return quantize(
    layout === 'out-in' ? numbers : transposed(numbers, inFeatures, outFeatures),
    outFeatures,
    inFeatures,
    scheme,
  );
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

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
