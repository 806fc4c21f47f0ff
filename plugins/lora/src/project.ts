// Adds the traced model's adapter to the model's linears. Linears that share an input share one
// product with their A matrices.
import {
  adapterValue,
  hasDropout,
  wrap,
  type LinearLayer,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { add, cast, concat, matMul, mul, slice, sub, type Value } from '@lmflow/sdk/graph';
import { LoraAdapter } from './adapter.ts';
import { magnitudeScale, scaled } from './dora.ts';
import type { LoraPair } from './pair.ts';

/**
 * Wraps `project`: y += scale (dropout(x) A^T) B^T for every linear that the adapter of
 * the traced model (or view of it) adapts.
 */
export function addAdapters(model: Model, by: string): void {
  wrap(model, 'project', by, (inner) => (trace, x, layers) => {
    const results = inner(trace, x, layers);
    const { adapter } = trace.model;
    if (!(adapter instanceof LoraAdapter)) return results;
    const { dropout } = adapter;
    const adapted = layers.flatMap((layer, index) => {
      const pair = adapter.pairs.get(layer.name);
      return pair ? [{ index, pair }] : [];
    });
    if (adapted.length === 0) return results;
    const active = hasDropout(trace) && dropout > 0;
    const lows = active
      ? adapted.map(({ pair }) => down(trace, dropped(trace, x, pair.layer, dropout), [pair])[0]!)
      : down(
          trace,
          x,
          adapted.map(({ pair }) => pair),
        );
    adapted.forEach(({ index, pair }, place) => {
      const b = adapterValue(trace, pair.b);
      const product = matMul(mul(lows[place]!, pair.scale), b, { transposeB: true });
      const update = pair.bias
        ? add(product, mul(adapterValue(trace, pair.bias), pair.scale))
        : product;
      results[index] = pair.magnitude
        ? decomposed(trace, pair, {
            result: results[index]!,
            update,
            b,
            droppedX: active ? dropped(trace, x, pair.layer, dropout) : undefined,
          })
        : add(results[index]!, update);
      const initial = initialValues(trace, pair);
      if (!initial) return;
      const low = mul(matMul(x, initial.a, { transposeB: true }), pair.scale);
      results[index] = sub(results[index], matMul(low, initial.b, { transposeB: true }));
    });
    return results;
  });
}

interface Decomposition {
  readonly result: Value;
  readonly update: Value;
  readonly b: Value;
  readonly droppedX: Value | undefined;
}

/** DoRA: with dropout, the magnitude's part of the frozen product uses the dropped input, as in PEFT. */
function decomposed(
  trace: Trace,
  pair: LoraPair,
  { result, update, b, droppedX }: Decomposition,
): Value {
  const { build } = trace.model;
  const factor = magnitudeScale(trace, pair, [
    adapterValue(trace, pair.a),
    b,
    adapterValue(trace, pair.magnitude!),
  ]);
  if (!droppedX) {
    return scaled(
      factor,
      result,
      update,
      pair.layer.bias === undefined ? undefined : build.weight(trace, pair.layer.bias),
    );
  }
  return add(
    result,
    add(mul(build.matmul(trace, droppedX, pair.layer), sub(factor, 1)), mul(update, factor)),
  );
}

/** x A^T for each pair, [rows, rank]. */
function down(trace: Trace, x: Value, pairs: readonly LoraPair[]): Value[] {
  const all = matMul(
    x,
    concat(
      pairs.map(({ a }) => adapterValue(trace, a)),
      0,
    ),
    { transposeB: true },
  );
  let start = 0;
  return pairs.map(({ rank }) => {
    const from = start;
    start += rank;
    return pairs.length === 1 ? all : slice(all, [0, from], [x.shape[0]!, start]);
  });
}

/** Inverted dropout with one mask per linear, as in PEFT. */
export function dropped(trace: Trace, x: Value, layer: LinearLayer, probability: number): Value {
  const mask = trace.dropoutMask(`${layer.name}.lora_dropout`, x.shape, probability);
  return mul(x, mul(cast(mask, 'float32'), 1 / (1 - probability)));
}

/** What a pair takes away from the base, as constants. */
export function initialValues(
  { graph }: Trace,
  { layer, rank, initial }: LoraPair,
): { readonly a: Value; readonly b: Value } | undefined {
  if (!initial) return undefined;
  const constant = (part: 'A' | 'B', shape: readonly number[], data: Float32Array): Value =>
    graph.weight(`${layer.name}.lora_${part} at the start`, {
      kind: 'memory',
      dtype: 'float32',
      shape,
      data,
    });
  return {
    a: constant('A', [rank, layer.inFeatures], initial.a),
    b: constant('B', [layer.outFeatures, rank], initial.b),
  };
}
