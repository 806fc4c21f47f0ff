// The random matrices that all linears share: PEFT's numbers for a key, which are those of PyTorch's
// generator on the CPU.
import { mersenne } from 'pure-rand/generator/mersenne';
import type { LinearLayer } from '@lmflow/sdk/model';

/** A and B, row-major. A linear uses the first columns of A and the first rows of B. */
export interface Projection {
  readonly rank: number;
  /** Columns of A: the widest input. */
  readonly inFeatures: number;
  /** Rows of B: the widest output. */
  readonly outFeatures: number;
  /** [rank, inFeatures] */
  readonly a: Float32Array;
  /** [outFeatures, rank] */
  readonly b: Float32Array;
}

/** The sizes of A and B for these linears. */
export function projectionSizes(
  layers: readonly LinearLayer[],
): Pick<Projection, 'inFeatures' | 'outFeatures'> {
  return {
    inFeatures: Math.max(...layers.map(({ inFeatures }) => inFeatures)),
    outFeatures: Math.max(...layers.map(({ outFeatures }) => outFeatures)),
  };
}

/** Draws A, then B, as PEFT does: uniform, by the number of columns (Kaiming). */
export function drawProjection(
  key: number,
  rank: number,
  layers: readonly LinearLayer[],
): Projection {
  // torch.Generator.manual_seed keeps the lower 32 bits
  const generator = mersenne(Number(BigInt.asIntN(32, BigInt(key))));
  const { inFeatures, outFeatures } = projectionSizes(layers);
  const draw = (rows: number, columns: number): Float32Array => {
    const bound = Math.sqrt(3) * (Math.SQRT2 / Math.sqrt(columns));
    const [low, range] = [
      Math.fround(-bound),
      Math.fround(Math.fround(bound) - Math.fround(-bound)),
    ];
    return Float32Array.from({ length: rows * columns }, () => {
      // the lower 24 bits of a draw, as a float32 from 0 to 1
      const unit = (generator.next() & 0xffffff) / 2 ** 24;
      return unit * range + low; // rounded once, as a fused multiply-add
    });
  };
  const a = draw(rank, inFeatures);
  return { rank, inFeatures, outFeatures, a, b: draw(outFeatures, rank) };
}
