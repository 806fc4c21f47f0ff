// The forward pass: for each strip of queries a walk over the tiles of keys, with a running maximum and total (the online softmax).
import { add, after, concat, div, exp, log, matMul, max, maximum, mul, reshape, sub, sum, type Value } from '@lmflow/sdk/graph';
import type { TileSize } from './size.ts';
import { Hider, part, ranges, tilesOf, type Hiding } from './tiles.ts';

export interface Inputs { readonly q: Value; readonly k: Value; readonly v: Value }

/** A strip's softmax over the keys until now: the rows' largest score, the total of e^(score - largest), and the weighted sum of values. */
interface Running { readonly largest: Value; readonly total: Value; readonly value: Value }

/** Gives the result [B, H, T, D] and the log-sum-exp of the scores [B, H, T, 1]. */
export function forward({ q, k, v }: Inputs, { hiding, size }: { readonly hiding: Hiding; readonly size: TileSize }): [Value, Value] {
  const [batch, heads, length, width] = q.shape as [number, number, number, number];
  const hider = new Hider(hiding);
  const [results, sums]: [Value[], Value[]] = [[], []];
  for (const queries of ranges(length, size.queries)) {
    const rows = part(q, queries, k.shape[1]);
    let running: Running | undefined;
    for (const keys of tilesOf(queries, size.keys, hiding.window)) {
      const before = running?.value ?? results.at(-1);
      // Tile by tile, whatever order an engine would choose.
      const scores = hider.hide(matMul(before ? after(rows, [before]) : rows, part(k, keys), { transposeB: true }), queries, keys, false);
      running = extended(running, scores, part(v, keys));
    }
    const { largest, total, value } = running!;
    results.push(reshape(div(value, total), [batch, heads, queries.to - queries.from, width]));
    sums.push(reshape(add(largest, log(total)), [batch, heads, queries.to - queries.from, 1]));
  }
  return [concat(results, 2), concat(sums, 2)];
}

function extended(running: Running | undefined, scores: Value, values: Value): Running {
  const top = max(scores, { axes: [-1], keepDims: true });
  const largest = running ? maximum(running.largest, top) : top;
  const weights = exp(sub(scores, largest));
  const [total, value] = [sum(weights, { axes: [-1], keepDims: true }), matMul(weights, values)];
  if (!running) return { largest, total, value };
  const scale = exp(sub(running.largest, largest));
  return { largest, total: add(mul(running.total, scale), total), value: add(mul(running.value, scale), value) };
}
