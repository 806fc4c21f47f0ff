// Weight-decomposed adapters (Liu et al. 2024, DoRA): the adapted weight's direction with a trained
// magnitude for each output, as PEFT computes it.
import type { LinearLayer, Trace } from '@lmflow/sdk/model';
import {
  add,
  allFloat,
  applyOne,
  defineOp,
  div,
  matMul,
  mul,
  opTypesDoNotFit,
  reshape,
  sqrt,
  sub,
  sum,
  type Value,
} from '@lmflow/sdk/graph';
import type { LoraPair } from './pair.ts';

/** The same numbers; no gradient flows. */
const detachOp = defineOp<Record<string, never>>({
  name: '@lmflow/plugin-lora/detach',
  infer: (inputs) => {
    const [x] = inputs;
    if (!x || inputs.length !== 1 || !allFloat(inputs)) {
      throw opTypesDoNotFit('detach', inputs, 'takes one float operand');
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  decompose: ([x]) => [add(x!, 0)],
  gradient: () => [undefined],
});

/**
 * What a product with the adapted weight is multiplied by, [1, outFeatures]: magnitude / norm, the
 * norm a constant to the gradient (section 4.3 of the paper).
 */
export function magnitudeScale(
  trace: Trace,
  pair: LoraPair,
  [a, b, magnitude]: readonly [Value, Value, Value],
): Value {
  const weight = trace.model.build.weight(trace, pair.layer.weight);
  const squares = reshape(
    sum(mul(weight, weight), { axes: [pair.layer.layout === 'out-in' ? 1 : 0] }),
    [pair.layer.outFeatures],
  );
  // |W + s B A|^2 row by row, without making B A: |W|^2 + 2 s B . (W A^T) + s^2 B . (B A A^T).
  const crossing = matMul(weight, a, {
    transposeA: pair.layer.layout === 'in-out',
    transposeB: true,
  });
  const own = matMul(b, matMul(a, a, { transposeB: true }));
  const update = reshape(
    sum(mul(b, add(mul(crossing, 2 * pair.scale), mul(own, pair.scale ** 2))), { axes: [1] }),
    [pair.layer.outFeatures],
  );
  const norm = applyOne(detachOp, [sqrt(add(squares, update))], {});
  return reshape(div(magnitude, norm), [1, pair.layer.outFeatures]);
}

/** factor (base + update): `base` without its bias, `update` scale x A^T B^T. */
export function scaled(factor: Value, base: Value, update: Value, bias: Value | undefined): Value {
  if (!bias) return mul(add(base, update), factor);
  return add(mul(add(sub(base, bias), update), factor), bias);
}

/** Norms over the inputs of each output's weights, of base + update in the file's layout. */
export function rowNorms(
  { inFeatures, outFeatures, layout }: LinearLayer,
  base: Float32Array,
  update: Float32Array,
): Float32Array {
  const norms = new Float32Array(outFeatures);
  for (let out = 0; out < outFeatures; out++) {
    let total = 0;
    for (let input = 0; input < inFeatures; input++) {
      const place = layout === 'out-in' ? out * inFeatures + input : input * outFeatures + out;
      total += (base[place]! + update[place]!) ** 2;
    }
    norms[out] = Math.sqrt(total);
  }
  return norms;
}

/** magnitude / norm (base + update) - base: what merging adds. */
export function scaledDelta(
  { layer, magnitude }: LoraPair,
  base: Float32Array,
  update: Float32Array,
): Float32Array {
  const norms = rowNorms(layer, base, update);
  return update.map((number, place) => {
    const out =
      layer.layout === 'out-in' ? Math.floor(place / layer.inFeatures) : place % layer.outFeatures;
    return (magnitude!.data[out]! / norms[out]!) * (base[place]! + number) - base[place]!;
  });
}
