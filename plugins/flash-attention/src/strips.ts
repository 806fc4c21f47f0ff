// The ops in simpler ones: a strip of queries at a time with all the keys that it sees. What an
// engine without a lowering runs, and the interpreter.
import {
  add,
  after,
  HIDDEN,
  concat,
  div,
  equal,
  exp,
  greater,
  lessOrEqual,
  log,
  logicalAnd,
  matMul,
  max,
  mul,
  pad,
  reshape,
  slice,
  sub,
  sum,
  where,
  type Value,
} from '@lmflow/sdk/graph';
import type { FlashAttributes } from './attributes.ts';

export interface Inputs {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly segments: Value | undefined;
}
export interface BackwardInputs extends Inputs {
  readonly gradient: Value;
  readonly sums: Value;
  readonly along: Value;
}

/** Gives the result [B, Hkv, T x G, D] and the log-sum-exp of the scores [B, Hkv, T x G, 1]. */
export function forward(inputs: Inputs, attributes: FlashAttributes): [Value, Value] {
  const [results, sums]: [Value[], Value[]] = [[], []];
  for (const strip of stripsOf(inputs, attributes)) {
    const scores = strip.scores(results.at(-1));
    const largest = max(scores, { axes: [-1], keepDims: true });
    const weights = exp(sub(scores, largest));
    const total = sum(weights, { axes: [-1], keepDims: true });
    results.push(div(matMul(weights, strip.keysOf(inputs.v)), total));
    sums.push(add(largest, log(total)));
  }
  return [concat(results, 2), concat(sums, 2)];
}

/** Gives the gradients of q, k and v. */
export function backward(
  inputs: BackwardInputs,
  attributes: FlashAttributes,
): [Value, Value, Value] {
  const ofQueries: Value[] = [];
  let ofKeys: Value | undefined;
  let ofValues: Value | undefined;
  for (const strip of stripsOf(inputs, attributes)) {
    const [gradient, sums, along] = [
      strip.rowsOf(inputs.gradient),
      strip.rowsOf(inputs.sums),
      strip.rowsOf(inputs.along),
    ];
    const probabilities = exp(sub(strip.scores(ofKeys), sums));
    const ofScores = mul(
      probabilities,
      sub(matMul(gradient, strip.keysOf(inputs.v), { transposeB: true }), along),
    );
    ofQueries.push(matMul(ofScores, strip.keysOf(inputs.k)));
    ofValues = sumOf(ofValues, strip.spread(matMul(probabilities, gradient, { transposeA: true })));
    ofKeys = sumOf(
      ofKeys,
      strip.spread(matMul(ofScores, strip.rowsOf(inputs.q), { transposeA: true })),
    );
  }
  return [concat(ofQueries, 2), ofKeys!, ofValues!];
}

function sumOf(known: Value | undefined, found: Value): Value {
  return known ? add(known, found) : found;
}

interface Strip {
  /** The strip's rows of [B, Hkv, T x G, D]. */
  readonly rowsOf: (x: Value) => Value;
  /** The keys that it sees, of [B, Hkv, T, D]. */
  readonly keysOf: (x: Value) => Value;
  /** Zeros around those keys: [B, Hkv, T, D]. */
  readonly spread: (x: Value) => Value;
  /**
   * [B, Hkv, rows, keys]; waits for `before`, or an engine would be free to compute all strips at
   * once.
   */
  readonly scores: (before: Value | undefined) => Value;
}

function stripsOf({ q, k, segments }: Inputs, { tile, window }: FlashAttributes): Strip[] {
  const [batch, groups, length, width] = k.shape as [number, number, number, number];
  const shared = q.shape[2]! / length;
  // They wait for a layer's own value: what is hidden would be the same for all layers, and kept
  // for them.
  const places = after(
    q.graph.constant(
      Int32Array.from({ length }, (_, place) => place),
      [1, length],
      'int32',
    ),
    [q],
  );
  const own = segments && after(segments, [q]);
  return Array.from({ length: Math.ceil(length / tile) }, (_, index) => {
    const [from, to] = [index * tile, Math.min(length, (index + 1) * tile)];
    const first = Math.max(0, from - window + 1);
    const rowsOf = (x: Value): Value =>
      slice(x, [0, 0, from * shared, 0], [batch, groups, to * shared, x.shape[3]!]);
    const keysOf = (x: Value): Value => slice(x, [0, 0, first, 0], [batch, groups, to, width]);
    const both = (x: Value): [Value, Value] => [
      reshape(slice(x, [0, from], [x.shape[0]!, to]), [x.shape[0]!, 1, to - from, 1, 1]),
      reshape(slice(x, [0, first], [x.shape[0]!, to]), [x.shape[0]!, 1, 1, 1, to - first]),
    ];
    return {
      rowsOf,
      keysOf,
      spread: (x) => pad(x, [0, 0, first, 0], [0, 0, length - to, 0]),
      scores: (before) => {
        const [query, key] = both(places);
        const seen = logicalAnd(lessOrEqual(key, query), greater(key, sub(query, window)));
        const rows = rowsOf(q);
        const scores = reshape(
          matMul(before ? after(rows, [before]) : rows, keysOf(k), { transposeB: true }),
          [batch, groups, to - from, shared, to - first],
        );
        return reshape(where(own ? logicalAnd(seen, equal(...both(own))) : seen, scores, HIDDEN), [
          batch,
          groups,
          (to - from) * shared,
          to - first,
        ]);
      },
    };
  });
}
