// Weights of a model that is trained from scratch: drawn as transformers draws them, each from a
// stream of its own.
import { randomStream } from '@lmflow/sdk';
import { sizeOf, type Shape, type WeightSource } from '@lmflow/sdk/graph';
import type { Blueprint } from '../architecture/blueprint.ts';

/**
 * Norms 1, biases 0, the rest normal with config.json's `initializer_range` as deviation
 * (`deviation`).
 */
export function randomWeights(
  { tensors }: Blueprint,
  deviation: number,
  seed: number,
): Map<string, WeightSource> {
  return new Map(
    [...tensors].map(([name, shape]) => [name, randomWeight(name, shape, { deviation, seed })]),
  );
}

/** One weight of them. */
export function randomWeight(
  name: string,
  shape: Shape,
  { deviation, seed }: { readonly deviation: number; readonly seed: number },
): WeightSource {
  const random = randomStream(seed, 'weights', name);
  const draw =
    shape.length > 1
      ? (index: number): number => deviation * random.normal(index)
      : (): number => (name.endsWith('.bias') ? 0 : 1);
  return {
    kind: 'memory',
    dtype: 'float32',
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, (_, index) => draw(index)),
  };
}
