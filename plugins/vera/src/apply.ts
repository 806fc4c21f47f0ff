// Adds the traced model's adapter to the model's linears.
import {
  adapterValue,
  hasDropout,
  wrap,
  type HeadOutput,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { add, cast, concat, matMul, mul, reshape, slice, type Value } from '@lmflow/sdk/graph';
import { VeraAdapter } from './adapter.ts';
import type { VeraVectors } from './vectors.ts';

/** Wraps `project`, for the linears of the blocks. */
export function addToLinears(model: Model, by: string): void {
  wrap(model, 'project', by, (inner) => (trace, x, layers) => {
    const results = inner(trace, x, layers);
    const { adapter } = trace.model;
    if (!(adapter instanceof VeraAdapter)) return results;
    return layers.map((layer, index) => {
      const vectors = adapter.vectors.get(layer.name);
      if (!vectors) return results[index]!;
      const low = matMul(lowOf(trace, adapter, vectors, x), rowsOfB(trace, adapter, vectors), {
        transposeB: true,
      });
      return add(results[index]!, mul(low, asRow(adapterValue(trace, vectors.b))));
    });
  });
}

/**
 * Wraps `head` and `logits`. Losses multiply by the head's weight themselves, so the low-rank product
 * is put into both: [h, low] [W, b B]^T. In inference `logits` takes them apart again, so that a
 * head in a few bits stays one.
 */
export function addToHead(model: Model, by: string): void {
  const joined = new WeakMap<Value, { readonly base: HeadOutput; readonly low: Value; b: Value }>();
  wrap(model, 'head', by, (inner) => (trace, hidden) => {
    const base = inner(trace, hidden);
    const { adapter } = trace.model;
    const vectors = adapter instanceof VeraAdapter ? headVectors(adapter) : undefined;
    if (!vectors) return base;
    const shared = adapter as VeraAdapter;
    const low = lowOf(trace, shared, vectors, base.hidden);
    const scale = reshape(adapterValue(trace, vectors.b), [vectors.layer.outFeatures, 1]);
    const b = mul(rowsOfB(trace, shared, vectors), scale);
    const weight = concat([base.weight, b], 1);
    joined.set(weight, { base, low, b });
    return { hidden: concat([base.hidden, low], 1), weight };
  });
  wrap(model, 'logits', by, (inner) => (trace, output) => {
    const parts = joined.get(output.weight);
    if (!parts) return inner(trace, output);
    const [rows, width] = output.hidden.shape as [number, number];
    const size = parts.base.weight.shape[1]!;
    const hidden = slice(output.hidden, [0, 0], [rows, size]);
    const low = slice(output.hidden, [0, size], [rows, width]);
    return add(
      inner(trace, { hidden, weight: parts.base.weight }),
      matMul(low, parts.b, { transposeB: true }),
    );
  });
}

/** The vectors of the head, which is no linear of a block. */
function headVectors({ vectors }: VeraAdapter): VeraVectors | undefined {
  return [...vectors.values()].find(({ layer }) => layer.layer === undefined);
}

/** d * (dropout(x) A^T), [rows, rank]. */
function lowOf(
  trace: Trace,
  { projection: { rank, inFeatures, a }, settings: { veraDropout } }: VeraAdapter,
  { layer, d }: VeraVectors,
  x: Value,
): Value {
  const all = constant(trace, 'vera_A', [rank, inFeatures], a);
  const columns =
    layer.inFeatures === inFeatures ? all : slice(all, [0, 0], [rank, layer.inFeatures]);
  const input =
    hasDropout(trace) && veraDropout > 0 ? dropped(trace, x, layer.name, veraDropout) : x;
  return mul(matMul(input, columns, { transposeB: true }), asRow(adapterValue(trace, d)));
}

/** Inverted dropout with one mask per linear, as in PEFT. */
function dropped(trace: Trace, x: Value, name: string, probability: number): Value {
  const mask = trace.dropoutMask(`${name}.vera_dropout`, x.shape, probability);
  return mul(x, mul(cast(mask, 'float32'), 1 / (1 - probability)));
}

/** [outFeatures, rank] */
function rowsOfB(
  trace: Trace,
  { projection: { rank, outFeatures, b } }: VeraAdapter,
  { layer }: VeraVectors,
): Value {
  const all = constant(trace, 'vera_B', [outFeatures, rank], b);
  return layer.outFeatures === outFeatures ? all : slice(all, [0, 0], [layer.outFeatures, rank]);
}

function constant(
  { graph }: Trace,
  name: string,
  shape: readonly number[],
  data: Float32Array,
): Value {
  return graph.weight(name, { kind: 'memory', dtype: 'float32', shape, data });
}

function asRow(vector: Value): Value {
  return reshape(vector, [1, vector.shape[0]!]);
}
