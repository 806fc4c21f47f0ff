// The quantized form of a model's matrices: codes, scales and zero points, those of a block that may
// share an input in one group, so that rows of several can be multiplied at once.
import { isDeepStrictEqual } from 'node:util';
import { outputRows, type LinearForm, type Model } from '@lmflow/sdk/model';
import type { ValueType, WeightSource } from '@lmflow/sdk/graph';
import { blockSizes, quantize, type Quantized } from './blocks.ts';
import type { Matrix } from './matrices.ts';
import { filesOf, partsInPlace, repacked } from './packed.ts';

/** Changes when the content of the files does. */
const FORMAT = 2;

/**
 * Two or three parts, one row for each of a group's results: codes uint8 [rows, blocks, blob], scales
 * float32 [rows, blocks], zero points uint8 [rows, zeros]. Packed matrices of the checkpoint are
 * left in place where they lie so.
 */
export function blocks(model: Model, name: string): LinearForm<Matrix> {
  return {
    name,
    cache: 'quantize',
    groups: (matrices) => groupsOf(model, matrices),
    parts: partsOf,
    key: (group) => ({
      format: FORMAT,
      layouts: group.map(({ layout }) => layout),
      scheme: group[0]!.scheme,
    }),
    make: (group) => quantizeGroup(model, group),
    sources: ({ weight }) => {
      const source = model.weights.get(weight)!;
      if (source.kind === 'packed') return filesOf(source);
      return source.kind === 'file' ? [source] : [];
    },
    inPlace: (group) => {
      const packed = group.flatMap(({ weight }) => {
        const source = model.weights.get(weight)!;
        return source.kind === 'packed' ? [source] : [];
      });
      return packed.length > 0 ? partsInPlace(packed, group[0]!) : undefined;
    },
  };
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

function partsOf(group: readonly Matrix[]): readonly ValueType[] {
  const { inFeatures, scheme } = group[0]!;
  const { blocks: count, blob, zeros } = blockSizes(inFeatures, scheme);
  const rows = group.reduce((sum, { outFeatures }) => sum + outFeatures, 0);
  const both: readonly ValueType[] = [
    { dtype: 'uint8', shape: [rows, count, blob] },
    { dtype: 'float32', shape: [rows, count] },
  ];
  return scheme.symmetric ? both : [...both, { dtype: 'uint8', shape: [rows, zeros] }];
}

/** The parts of a group, filled matrix after matrix. */
async function quantizeGroup(
  model: Model,
  group: readonly Matrix[],
): Promise<(Uint8Array | Float32Array)[]> {
  const arrays = partsOf(group).map(({ dtype, shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return dtype === 'float32' ? new Float32Array(size) : new Uint8Array(size);
  });
  const filled = arrays.map(() => 0);
  for (const matrix of group) {
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
export function quantizeMatrix(numbers: Float32Array, matrix: Matrix): Quantized {
  const { inFeatures, outFeatures, scheme } = matrix;
  return quantize(outputRows(numbers, matrix), outFeatures, inFeatures, scheme);
}
