// Matrices that the checkpoint itself has in a few bits (compressed-tensors, pack-quantized), as
// the products take them. Their codes are laid out alike, so that a folder written here is computed
// with where it lies; others are rewritten once into the cache. No float numbers are made.
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import { readBytes, readWeight, readZeroPoints } from '@lmflow/sdk/formats';
import type { FileWeight, PackedWeight } from '@lmflow/sdk/graph';
import { blockSizes, type Quantized, type Scheme } from './blocks.ts';
import type { Matrix } from './matrices.ts';

/** Sizes of blocks that the kernels know, largest first. */
const BLOCKS = [256, 128, 64, 32, 16];

/** The packed linears of a model, the head's among them. */
export function packedMatrices({ linears, weights }: Model): readonly Matrix[] {
  return linears.flatMap((layer: LinearLayer) => {
    const weight = weights.get(layer.weight);
    return weight?.kind === 'packed' ? [{ ...layer, scheme: schemeOf(weight) }] : [];
  });
}

/** A group of columns is one block, or several with the same scale. */
function schemeOf({ bits, groupSize, zeroPoints }: PackedWeight): Scheme {
  return {
    bits,
    blockSize: BLOCKS.find((size) => groupSize % size === 0)!,
    symmetric: zeroPoints === undefined,
  };
}

/**
 * Matrices whose codes, and whose scales, lie one after the other in one file in the kernels'
 * layout: the parts of their group are parts of the file. Undefined for others.
 */
export function partsInPlace(
  weights: readonly PackedWeight[],
  { scheme, inFeatures }: Matrix,
): readonly FileWeight[] | undefined {
  const [packed, scales] = [
    joined(weights.map(({ codes }) => codes)),
    joined(weights.map((weight) => weight.scales)),
  ];
  if (
    !packed ||
    scales?.dtype !== 'float32' ||
    !scheme.symmetric ||
    weights.some(({ groupSize }) => groupSize !== scheme.blockSize)
  ) {
    return undefined;
  }
  const { blocks, blob } = blockSizes(inFeatures, scheme);
  const rows = packed.shape[0]!;
  return [
    { ...packed, shape: [rows, blocks, blob] },
    { ...scales, shape: [rows, blocks] },
  ];
}

function joined(parts: readonly FileWeight[]): FileWeight | undefined {
  const [first] = parts as readonly [FileWeight];
  const apart = parts.some(
    ({ path, offset, dtype }, index) =>
      index > 0 &&
      (path !== first.path ||
        dtype !== first.dtype ||
        offset !== parts[index - 1]!.offset + parts[index - 1]!.byteLength),
  );
  if (apart) return undefined;
  return {
    ...first,
    shape: [parts.reduce((sum, { shape }) => sum + shape[0]!, 0), first.shape[1]!],
    byteLength: parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
  };
}

/** Codes, scales and zero points in the kernels' layout. */
export async function repacked(
  weight: PackedWeight,
  { inFeatures, outFeatures, scheme }: Matrix,
): Promise<Quantized> {
  const { bits, blockSize } = scheme;
  const { blocks, zeros } = blockSizes(inFeatures, scheme);
  const groups = inFeatures / weight.groupSize;
  const groupOf = (block: number): number => Math.floor((block * blockSize) / weight.groupSize);
  const columnScales = await readWeight(weight.scales);
  const scales = Float32Array.from(
    { length: outFeatures * blocks },
    (_, place) => columnScales[Math.floor(place / blocks) * groups + groupOf(place % blocks)]!,
  );
  const points = await readZeroPoints(weight);
  const zeroPoints = points && new Uint8Array(outFeatures * zeros);
  if (points && zeroPoints) {
    for (let row = 0; row < outFeatures; row++) {
      for (let block = 0; block < blocks; block++) {
        zeroPoints[row * zeros + ((block * bits) >> 3)]! |=
          points[row * groups + groupOf(block)]! << (bits === 4 && block & 1 ? 4 : 0);
      }
    }
  }
  return { packed: await readBytes(weight.codes), scales, ...(zeroPoints ? { zeroPoints } : {}) };
}

/** The files' parts that a packed weight is. */
export function filesOf({ codes, scales, zeroPoints }: PackedWeight): readonly FileWeight[] {
  return [codes, scales, ...(zeroPoints ? [zeroPoints] : [])];
}
