// Trained rows of embedding and head in the graph: a low-rank update of the table,
// W + P (rows - W[rows]).
import { wrap, adapterValue, type Model, type Trace } from '@lmflow/sdk/model';
import { add, concat, gather, reshape, sub, type Value } from '@lmflow/sdk/graph';
import { LoraAdapter } from './adapter.ts';
import { embeddingWeight } from './tied.ts';
import type { TokenRows } from './tokens.ts';

/** Wraps `embed`: the trained rows in place of the base's. */
export function addTokenRows(model: Model, by: string): void {
  wrap(model, 'embed', by, (inner) => (trace, inputIds) => {
    const hidden = inner(trace, inputIds);
    const { adapter } = trace.model;
    const embedding = embeddingWeight(trace.model);
    const rows =
      adapter instanceof LoraAdapter
        ? adapter.tokens.find(({ weight }) => weight === embedding)
        : undefined;
    if (!rows) return hidden;
    const { hiddenSize } = trace.model.architecture;
    const zero = trace.graph.constant(new Float32Array(hiddenSize), [1, hiddenSize], 'float32');
    const places = gather(placesOf(trace, rows), reshape(inputIds, [hidden.shape[0]!]));
    return add(hidden, gather(concat([zero, change(trace, rows)], 0), places));
  });
}

/** What the rows add to logits: hidden x rows^T, and the token that each row belongs to. */
export function headRows(
  trace: Trace,
  rows: TokenRows,
): { readonly change: Value; readonly tokens: Value } {
  const count = rows.indices.length;
  const ones = new Float32Array((count + 1) * count);
  for (let place = 0; place < count; place++) ones[(place + 1) * count + place] = 1;
  const choice = trace.graph.constant(ones, [count + 1, count], 'float32');
  return { change: change(trace, rows), tokens: gather(choice, placesOf(trace, rows)) };
}

/** [indices.length, hiddenSize]: the rows less those of the base. */
function change(trace: Trace, { parameter, base }: TokenRows): Value {
  const frozen = trace.graph.constant(base, parameter.shape, 'float32');
  return sub(adapterValue(trace, parameter), frozen);
}

/** int32 [vocabularySize]: 1 + the place of a token among the rows, 0 for all others. */
function placesOf({ graph, model }: Trace, { indices }: TokenRows): Value {
  const { vocabularySize } = model.architecture;
  const places = new Int32Array(vocabularySize);
  indices.forEach((index, place) => (places[index] = place + 1));
  return graph.constant(places, [vocabularySize], 'int32');
}
