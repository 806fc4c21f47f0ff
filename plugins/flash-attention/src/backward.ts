// The backward pass: the probabilities of each tile are computed again from the rows' log-sum-exp. Scores are turned, keys by queries, so that
// the gradients of keys and values are products without a transposed operand.
import { add, after, broadcastTo, cast, concat, exp, matMul, mul, neg, reshape, slice, type Value } from '@lmflow/sdk/graph';
import type { Inputs } from './forward.ts';
import type { TileSize } from './size.ts';
import { Hider, part, ranges, tilesOf, type Hiding } from './tiles.ts';

export interface BackwardInputs extends Inputs { readonly gradient: Value; readonly sums: Value; readonly along: Value }

/** Gradients of keys and values of one column, over the strips of queries until now. */
interface Column { readonly ofKeys: Value; readonly ofValues: Value }

/** Gives the gradients of q, k and v. */
export function backward({ q, k, v, gradient, sums, along }: BackwardInputs, { hiding, size }: { readonly hiding: Hiding; readonly size: TileSize }): [Value, Value, Value] {
  const [batch, heads, length, width] = q.shape as [number, number, number, number];
  const groups = k.shape[1]!;
  const hider = new Hider(hiding);
  // A further column each, so that the products come out as S - lse and dP - dO O.
  const [rows, arriving, keysAndOne, valuesAndOne] = [concat([q, neg(sums)], 3), concat([gradient, neg(along)], 3), beside(k, 1), beside(v, 1)];
  const columns = new Map<number, Column>();
  const results: Value[] = [];
  let before: readonly Value[] = [];
  for (const queries of ranges(length, size.queries)) {
    const [ofRows, ofArriving] = [part(rows, queries, groups), part(arriving, queries, groups)];
    const [own, ownGradient] = [narrow(ofRows, width), narrow(ofArriving, width)];
    let ofQueries: Value | undefined;
    for (const keys of tilesOf(queries, size.keys, hiding.window)) {
      const [ofColumn, values] = [part(keysAndOne, keys), part(valuesAndOne, keys)];
      // An engine is free to compute one gradient of all tiles first and keep what the others need: so each tile waits for the last.
      const waiting = before.length > 0 ? after(ofRows, before) : ofRows;
      const probabilities = exp(hider.hide(matMul(ofColumn, waiting, { transposeB: true }), queries, keys, true));
      const known = columns.get(keys.from);
      const ofValues = grown(known?.ofValues, matMul(probabilities, ownGradient));
      const ofScores = mul(probabilities, matMul(values, ofArriving, { transposeB: true }));
      const ofKeys = grown(known?.ofKeys, matMul(ofScores, own));
      columns.set(keys.from, { ofKeys, ofValues });
      const found = matMul(ofScores, narrow(ofColumn, width), { transposeA: true });
      ofQueries = ofQueries ? add(ofQueries, found) : found;
      before = [ofValues, ofKeys, ofQueries];
    }
    results.push(reshape(ofQueries!, [batch, heads, queries.to - queries.from, width]));
  }
  return [concat(results, 2), concat([...columns.values()].map(({ ofKeys }) => ofKeys), 2), concat([...columns.values()].map(({ ofValues }) => ofValues), 2)];
}

/** The sum of what is known of a column's first keys and what was found for all its keys until now. */
function grown(known: Value | undefined, found: Value): Value {
  if (!known) return found;
  const [batch, groups, width, size] = found.shape as [number, number, number, number];
  const reached = known.shape[2]!;
  if (reached === width) return add(known, found);
  return concat([add(known, slice(found, [0, 0, 0, 0], [batch, groups, reached, size])), slice(found, [0, 0, reached, 0], found.shape)], 2);
}

/** The first `width` columns. */
function narrow(x: Value, width: number): Value {
  return slice(x, x.shape.map(() => 0), [...x.shape.slice(0, -1), width]);
}

/** x with a further column of one number. */
function beside(x: Value, number: number): Value {
  return concat([x, broadcastTo(cast(x.graph.scalar(number), x.dtype), [...x.shape.slice(0, -1), 1])], 3);
}
