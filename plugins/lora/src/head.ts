// Adapters of the head. Losses multiply hidden states by the head's weight themselves, in chunks, so
// the low-rank product is put into both: [h, s h A^T] [W, B]^T. In inference `logits` takes them
// apart again, so that a head in a few bits stays one. Linears of the blocks: project.ts.
import {
  adapterValue,
  hasDropout,
  wrap,
  type HeadOutput,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { add, concat, matMul, mul, reshape, slice, sub, type Value } from '@lmflow/sdk/graph';
import { LoraAdapter } from './adapter.ts';
import { magnitudeScale } from './dora.ts';
import type { LoraPair } from './pair.ts';
import { headRows } from './token-graph.ts';
import { dropped, initialValues } from './project.ts';

/** What a joined weight was put together from. */
interface Joined {
  readonly base: HeadOutput;
  /** [vocabularySize, rank] */
  readonly b: Value;
  /** [1, vocabularySize] (DoRA). */
  readonly factor: Value | undefined;
}

/** Wraps `head` and `logits`. */
export function addHeadAdapter(model: Model, by: string): void {
  const joined = new WeakMap<Value, Joined>();
  wrap(model, 'head', by, (inner) => (trace, hidden) => {
    const base = inner(trace, hidden);
    const { adapter } = trace.model;
    const rows = adapter instanceof LoraAdapter ? adapter.headTokens : undefined;
    if (rows) {
      const { change, tokens } = headRows(trace, rows);
      const low = matMul(base.hidden, change, { transposeB: true });
      const output = {
        hidden: concat([base.hidden, low], 1),
        weight: concat([base.weight, tokens], 1),
      };
      joined.set(output.weight, { base, b: tokens, factor: undefined });
      return output;
    }
    const pair = adapter instanceof LoraAdapter ? adapter.head : undefined;
    if (!pair) return base;
    const { output, parts } = join(trace, base, pair);
    if (parts) joined.set(output.weight, parts);
    return output;
  });
  wrap(model, 'logits', by, (inner) => (trace, output) => {
    const parts = joined.get(output.weight);
    if (!parts) return inner(trace, output);
    const { base, b, factor } = parts;
    const [rows, width] = output.hidden.shape as [number, number];
    const hidden = slice(output.hidden, [0, 0], [rows, base.weight.shape[1]!]);
    const low = slice(output.hidden, [0, base.weight.shape[1]!], [rows, width]);
    const logits = add(
      inner(trace, { hidden, weight: base.weight }),
      matMul(low, b, { transposeB: true }),
    );
    return factor ? mul(logits, factor) : logits;
  });
}

/** `parts` where the output is hidden states and one low-rank product of them. */
function join(
  trace: Trace,
  base: HeadOutput,
  pair: LoraPair,
): { readonly output: HeadOutput; readonly parts?: Joined } {
  const { hidden, weight } = base;
  const { dropout } = trace.model.adapter as LoraAdapter;
  const [a, b] = [adapterValue(trace, pair.a), adapterValue(trace, pair.b)];
  const active = hasDropout(trace) && dropout > 0;
  const input = active ? dropped(trace, hidden, pair.layer, dropout) : hidden;
  const low = mul(matMul(input, a, { transposeB: true }), pair.scale);
  if (!pair.magnitude) {
    const initial = initialValues(trace, pair);
    const lows = [low];
    if (initial) lows.push(mul(matMul(hidden, initial.a, { transposeB: true }), -pair.scale));
    const columns = initial ? [b, initial.b] : [b];
    if (pair.bias) {
      // a column that is multiplied by one
      const rows = hidden.shape[0]!;
      lows.push(trace.graph.constant(new Float32Array(rows).fill(1), [rows, 1], 'float32'));
      columns.push(
        reshape(mul(adapterValue(trace, pair.bias), pair.scale), [pair.layer.outFeatures, 1]),
      );
    }
    const bs = columns.length > 1 ? concat(columns, 1) : b;
    const output = { hidden: concat([hidden, ...lows], 1), weight: concat([weight, bs], 1) };
    return { output, parts: { base, b: bs, factor: undefined } };
  }
  const factor = magnitudeScale(trace, pair, [a, b, adapterValue(trace, pair.magnitude)]);
  const byRow = reshape(factor, [pair.layer.outFeatures, 1]);
  if (!active) {
    const output = {
      hidden: concat([hidden, low], 1),
      weight: mul(concat([weight, b], 1), byRow),
    };
    return { output, parts: { base, b, factor } };
  }
  // as PEFT: what the magnitude changes of the frozen product sees the dropped input
  return {
    output: {
      hidden: concat([hidden, input, low], 1),
      weight: concat([weight, mul(weight, sub(byRow, 1)), mul(b, byRow)], 1),
    },
  };
}
