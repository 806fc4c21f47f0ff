// The two matrices of one linear, and what they add to its weight. No graph here: see project.ts.
import type { Parameter, LinearLayer } from '@lmflow/sdk/model';

/** The two matrices of one linear: y += scale (x A^T) B^T. */
export interface LoraPair {
  readonly layer: LinearLayer;
  readonly rank: number;
  readonly scale: number;
  /** [rank, inFeatures] */
  readonly a: Parameter;
  /** [outFeatures, rank] */
  readonly b: Parameter;
  /** [outFeatures], beside B: y += scale bias. */
  readonly bias?: Parameter;
  /** [outFeatures]: the norms of the rows (DoRA). */
  readonly magnitude?: Parameter;
  /**
   * Matrices of the same shapes that are taken away from the base, frozen: what the pair began with
   * (PiSSA, OLoRA).
   */
  readonly initial?: { readonly a: Float32Array; readonly b: Float32Array };
}

/** What the pair adds to the base's weight, in the file's layout: scale B A. */
export function updateOf(pair: LoraPair): Float32Array {
  const { layer, rank, scale, a, b, initial } = pair;
  const result = new Float32Array(layer.inFeatures * layer.outFeatures);
  addProduct(result, layer, { rank, scale, a: a.data, b: b.data });
  if (initial) addProduct(result, layer, { rank, scale: -scale, ...initial });
  return result;
}

/** What the pair takes away from the base's weight, in the file's layout. */
export function initialUpdate({ layer, rank, scale, initial }: LoraPair): Float32Array {
  const result = new Float32Array(layer.inFeatures * layer.outFeatures);
  addProduct(result, layer, { rank, scale, ...initial! });
  return result;
}

function addProduct(
  target: Float32Array,
  { inFeatures, outFeatures, layout }: LinearLayer,
  {
    rank,
    scale,
    a,
    b,
  }: { readonly rank: number; readonly scale: number; a: Float32Array; b: Float32Array },
): void {
  for (let out = 0; out < outFeatures; out++) {
    for (let k = 0; k < rank; k++) {
      const factor = scale * b[out * rank + k]!;
      for (let input = 0; input < inFeatures; input++) {
        const place = layout === 'out-in' ? out * inFeatures + input : input * outFeatures + out;
        target[place]! += factor * a[k * inFeatures + input]!;
      }
    }
  }
}

/** A and B with what is taken away beside them: a plain pair of twice the rank. */
export function widened({ layer, rank, a, b, initial }: LoraPair): {
  readonly a: { readonly shape: readonly number[]; readonly data: Float32Array };
  readonly b: { readonly shape: readonly number[]; readonly data: Float32Array };
} {
  const { inFeatures, outFeatures } = layer;
  const [wideA, wideB] = [
    new Float32Array(2 * rank * inFeatures),
    new Float32Array(2 * rank * outFeatures),
  ];
  wideA.set(a.data);
  wideA.set(initial!.a, rank * inFeatures);
  for (let out = 0; out < outFeatures; out++) {
    for (let k = 0; k < rank; k++) {
      wideB[out * 2 * rank + k] = b.data[out * rank + k]!;
      wideB[out * 2 * rank + rank + k] = -initial!.b[out * rank + k]!;
    }
  }
  return {
    a: { shape: [2 * rank, inFeatures], data: wideA },
    b: { shape: [outFeatures, 2 * rank], data: wideB },
  };
}

/** The reverse: fills a pair, and what is taken away, from matrices of twice its rank. */
export function fillFromWidened(
  { layer, rank, a, b, initial }: LoraPair,
  wideA: Float32Array,
  wideB: Float32Array,
): void {
  const { inFeatures, outFeatures } = layer;
  a.data.set(wideA.subarray(0, rank * inFeatures));
  initial!.a.set(wideA.subarray(rank * inFeatures));
  for (let out = 0; out < outFeatures; out++) {
    for (let k = 0; k < rank; k++) {
      b.data[out * rank + k] = wideB[out * 2 * rank + k]!;
      initial!.b[out * rank + k] = -wideB[out * 2 * rank + rank + k]!;
    }
  }
}
