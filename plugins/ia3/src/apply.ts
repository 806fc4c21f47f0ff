// Multiplies inputs or outputs of the model's linears with the vectors of the traced model's adapter.
import { adapterValue, wrap, type Model, type Trace } from '@lmflow/sdk/model';
import { mul, reshape, type Value } from '@lmflow/sdk/graph';
import { Ia3Adapter } from './adapter.ts';
import type { Ia3Vector } from './vector.ts';

/** Wraps `project`, for the linears of the blocks. */
export function scaleLinears(model: Model, by: string): void {
  wrap(model, 'project', by, (inner) => (trace, x, layers) => {
    const vectors = layers.map(({ name }) => vectorFor(trace, name));
    if (vectors.every((vector) => vector === undefined)) return inner(trace, x, layers);
    // linears whose input is as it is stay together: they may share work
    const together = layers.filter((_, index) => !vectors[index]?.input);
    const results = together.length > 0 ? inner(trace, x, together) : [];
    return layers.map((layer, index) => {
      const vector = vectors[index];
      if (vector?.input) return inner(trace, mul(x, rowOf(trace, vector)), [layer])[0]!;
      const result = results[together.indexOf(layer)]!;
      return vector ? mul(result, rowOf(trace, vector)) : result;
    });
  });
}

/**
 * Wraps `head` and `logits`. Losses multiply by the head's weight themselves, so its rows are scaled;
 * in inference the logits are, so that a head in a few bits stays one.
 */
export function scaleHead(model: Model, by: string): void {
  const scaled = new WeakMap<Value, { readonly weight: Value; readonly vector: Ia3Vector }>();
  wrap(model, 'head', by, (inner) => (trace, hidden) => {
    const output = inner(trace, hidden);
    const vector = headVector(trace);
    if (!vector) return output;
    if (vector.input) return { ...output, hidden: mul(output.hidden, rowOf(trace, vector)) };
    const weight = mul(output.weight, adapterValue(trace, vector.parameter));
    scaled.set(weight, { weight: output.weight, vector });
    return { ...output, weight };
  });
  wrap(model, 'logits', by, (inner) => (trace, output) => {
    const parts = scaled.get(output.weight);
    if (!parts) return inner(trace, output);
    const logits = inner(trace, { ...output, weight: parts.weight });
    return mul(logits, rowOf(trace, parts.vector));
  });
}

function vectorFor({ model: { adapter } }: Trace, name: string): Ia3Vector | undefined {
  return adapter instanceof Ia3Adapter ? adapter.vectors.get(name) : undefined;
}

/** The vector of the head, which is no linear of a block. */
function headVector({ model: { adapter } }: Trace): Ia3Vector | undefined {
  if (!(adapter instanceof Ia3Adapter)) return undefined;
  return [...adapter.vectors.values()].find(({ layer }) => layer.layer === undefined);
}

/** [1, features] */
function rowOf(trace: Trace, { parameter }: Ia3Vector): Value {
  return reshape(adapterValue(trace, parameter), [1, parameter.data.length]);
}
