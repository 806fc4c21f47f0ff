// The two vectors of one linear, and what they add to its weight. No graph here: see apply.ts.
import type { LinearLayer, Parameter } from '@lmflow/sdk/model';
import type { Projection } from './projection.ts';

/** The vectors of one linear: y += b * (B (d * (A x))). */
export interface VeraVectors {
  readonly layer: LinearLayer;
  /** [outFeatures] */
  readonly b: Parameter;
  /** [rank] */
  readonly d: Parameter;
}

/** The vectors that training begins with: b is 0, so that the linear is as it was. */
export function vectorsOf(layer: LinearLayer, rank: number, dInitial: number): VeraVectors {
  const parameter = (part: string, length: number, value: number): Parameter => ({
    name: `${layer.name}.vera_lambda_${part}`,
    shape: [length],
    data: new Float32Array(length).fill(value),
    decay: true,
  });
  return {
    layer,
    b: parameter('b', layer.outFeatures, 0),
    d: parameter('d', rank, dInitial),
  };
}

/** What is added to the linear's weight, in the file's layout. */
export function weightDelta({ layer, b, d }: VeraVectors, shared: Projection): Float32Array {
  const { inFeatures, outFeatures, layout } = layer;
  const { rank } = shared;
  const result = new Float32Array(inFeatures * outFeatures);
  for (let out = 0; out < outFeatures; out++) {
    for (let k = 0; k < rank; k++) {
      const factor = b.data[out]! * shared.b[out * rank + k]! * d.data[k]!;
      for (let input = 0; input < inFeatures; input++) {
        const place = layout === 'out-in' ? out * inFeatures + input : input * outFeatures + out;
        result[place]! += factor * shared.a[k * shared.inFeatures + input]!;
      }
    }
  }
  return result;
}
