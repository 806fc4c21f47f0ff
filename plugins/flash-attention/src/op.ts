// Attention that keeps no probabilities (Dao et al. 2022, FlashAttention): the forward pass keeps the log-sum-exp of each row of scores, and
// the backward pass computes the probabilities again from it, a strip of keys at a time. Both are composites of simpler ops.
import {
  add, allFloat, applyOp, broadcastTo, cast, concat, defineOp, div, equal, exp, log, matMul, max, maximum, mul, neg, opTypesDoNotFit, reshape, sameShape, slice, sub, sum, transpose, where,
  type Value, type ValueType,
} from '@lmflow/sdk/graph';
import { HIDDEN, keysOf, Masks, queriesOf, ranges, type Piece, type Range } from './tiles.ts';

/** `heads`: query heads that share a key head. `window`: how many keys a query sees at most, itself included. */
export type FlashAttributes = { readonly heads: number; readonly tile: number; readonly window: number };

/**
 * Inputs q [B, Hkv, T x G, D] (scaled), k, v [B, Hkv, T, D], optionally int32 segments [B, T]; outputs the result, like q, and the
 * log-sum-exp of the scores [B, Hkv, T x G, 1], which only the gradient uses.
 */
export const flashAttentionOp = defineOp<FlashAttributes>({
  name: '@lmflow/plugin-flash-attention/flashAttention',
  infer: (inputs, attributes) => {
    const [q] = checkTypes('flashAttention', inputs, attributes, 3);
    return [q, { dtype: q.dtype, shape: [...q.shape.slice(0, -1), 1] }];
  },
  results: 1,
  decompose: ([q, k, v, segments], attributes) => forward(q!, k!, v!, segments, attributes),
  gradient: (node, [gradient]) => {
    const [q, k, v, segments] = node.inputs as [Value, Value, Value, Value?];
    const [result, sums] = node.outputs as [Value, Value];
    // The sum over keys of dP P is the sum over dimensions of dO O, which is shorter.
    const along = sum(mul(gradient!, result), { axes: [-1], keepDims: true });
    const inputs = [q, k, v, gradient!, sums, along, ...(segments ? [segments] : [])];
    return [...applyOp(flashAttentionGradientOp, inputs, node.attributes), undefined];
  },
});

/** Gradients of q, k and v. Inputs q, k, v, that of the result, the rows' log-sum-exp and dO O [B, Hkv, T x G, 1], and optionally segments. */
export const flashAttentionGradientOp = defineOp<FlashAttributes>({
  name: '@lmflow/plugin-flash-attention/flashAttentionGradient',
  infer: (inputs, attributes) => {
    const [q, k, v] = checkTypes('flashAttentionGradient', inputs, attributes, 6);
    return [q, k, v];
  },
  decompose: ([q, k, v, gradient, sums, along, segments], attributes) => backward({ q: q!, k: k!, v: v!, gradient: gradient!, sums: sums!, along: along! }, segments, attributes),
});

function checkTypes(name: string, inputs: readonly ValueType[], { heads }: FlashAttributes, floats: number): readonly [ValueType, ValueType, ValueType] {
  const [q, k, v] = inputs;
  const segments = inputs[floats];
  const [batch, groups, length, width] = k?.shape ?? [];
  const fits = q && k && v && k.shape.length === 4 && sameShape(k.shape, v.shape) && sameShape(q.shape, [batch!, groups!, length! * heads, width!])
    && allFloat(inputs.slice(0, floats)) && (!segments || (segments.dtype === 'int32' && sameShape(segments.shape, [batch!, length!])));
  if (!fits) throw opTypesDoNotFit(name, inputs, `takes q [B, Hkv, T x ${heads}, D], k and v [B, Hkv, T, D], all of one float dtype, and optionally int32 segments [B, T]`);
  return [q, k, v];
}

/** By tiles of query rows. */
function forward(q: Value, k: Value, v: Value, segments: Value | undefined, { heads, tile, window }: FlashAttributes): [Value, Value] {
  const length = k.shape[2]!;
  const hide = hider(q, { heads, window, segments: segments && fresh(segments, q) });
  const [results, sums]: [Value[], Value[]] = [[], []];
  for (const queries of ranges(length, tile)) {
    const rows = part(q, queries, heads);
    const pieces = keysOf(queries, window);
    const scores = pieces.map((keys) => hide(matMul(rows, part(k, keys), { transposeB: true }), queries, keys, keys.masked));
    const largest = scores.map((score) => max(score, { axes: [-1], keepDims: true })).reduce(maximum);
    const weights = scores.map((score) => exp(sub(score, largest)));
    const total = weights.map((weight) => sum(weight, { axes: [-1], keepDims: true })).reduce(add);
    results.push(div(weights.map((weight, index) => matMul(weight, part(v, pieces[index]!))).reduce(add), total));
    sums.push(add(largest, log(total)));
  }
  return [concat(results, 2), concat(sums, 2)];
}

interface Backward { readonly q: Value; readonly k: Value; readonly v: Value; readonly gradient: Value; readonly sums: Value; readonly along: Value }

/** By strips of keys: the gradients of k and v are complete at once, that of q gathers over the strips. */
function backward({ q, k, v, gradient, sums, along }: Backward, segments: Value | undefined, { heads, tile, window }: FlashAttributes): [Value, Value, Value] {
  const length = k.shape[2]!;
  const hide = hider(q, { heads, window, segments: segments && fresh(segments, gradient) });
  // A further column each, so that the products come out as S - lse and dP - dO O.
  const [rows, arriving] = [concat([q, neg(sums)], 3), concat([gradient, neg(along)], 3)];
  const [keysAndOne, valuesAndOne] = [beside(k, 1), beside(v, 1)];
  const [ofKeys, ofValues, done]: [Value[], Value[], Value[]] = [[], [], []];
  let open: Gathered = { from: 0, to: 0 };
  for (const keys of ranges(length, tile)) {
    // An engine is free to compute one gradient of all strips first and keep what the others need: so each strip waits for the last.
    const before = [ofKeys.at(-1), ofValues.at(-1), done.at(-1), open.value];
    const [ks, vs] = [keysAndOne, valuesAndOne].map((x) => after(part(x, keys), before)) as [Value, Value];
    const pieces = queriesOf(keys, window, length).map((queries) => {
      const at = (x: Value): Value => part(x, queries, heads);
      const probabilities = exp(hide(matMul(at(rows), ks, { transposeB: true }), queries, keys, queries.masked));
      const ofScores = mul(probabilities, matMul(at(arriving), vs, { transposeB: true }));
      return {
        ...queries, ofQueries: matMul(ofScores, part(k, keys)),
        ofKeys: matMul(ofScores, at(q), { transposeA: true }), ofValues: matMul(probabilities, at(gradient), { transposeA: true }),
      };
    });
    ofKeys.push(pieces.map((piece) => piece.ofKeys).reduce(add));
    ofValues.push(pieces.map((piece) => piece.ofValues).reduce(add));
    const [diagonal, ...below] = pieces.map((piece) => gather(open, piece, piece.ofQueries, heads));
    done.push(...diagonal!);
    open = { from: keys.to, to: pieces.at(-1)!.to, ...(below.length > 0 ? { value: concat(below.flat(), 2) } : {}) };
  }
  return [concat(done, 2), concat(ofKeys, 2), concat(ofValues, 2)];
}

/** The gradient of q at tokens [from, to) as far as the strips of keys until now go. */
interface Gathered extends Range { readonly value?: Value }

/** `found` for the tokens of `piece`, plus what is there; two parts where not all are there. */
function gather(open: Gathered, { from, to }: Piece, found: Value, heads: number): Value[] {
  const known = Math.min(to, Math.max(from, open.to));
  if (!open.value || known === from) return [found];
  const relative = (value: Value, start: number, a: number, b: number): Value => part(value, { from: a - start, to: b - start }, heads);
  const sums = add(relative(open.value, open.from, from, known), relative(found, from, from, known));
  return known === to ? [sums] : [sums, relative(found, from, known, to)];
}

type Hide = (scores: Value, queries: Range, keys: Range, masked: boolean) => Value;

/** Hides what a query must not see: by place where `masked`, and other segments. Scores are [B, Hkv, queries x G, keys]. */
function hider({ graph, dtype }: Value, { heads, window, segments }: { readonly heads: number; readonly window: number; readonly segments: Value | undefined }): Hide {
  const masks = new Masks(graph, dtype, window);
  return (scores, queries, keys, masked) => {
    const [batch, groups, , width] = scores.shape as [number, number, number, number];
    const height = queries.to - queries.from;
    const cut = ({ from, to }: Range, shape: readonly number[]): Value => reshape(slice(segments!, [0, from], [batch, to]), [batch, 1, ...shape]);
    const apart = segments && cast(where(equal(cut(queries, [height, 1, 1]), cut(keys, [1, 1, width])), 0, HIDDEN), dtype);
    const hidden = [apart, masked ? masks.of(queries, keys) : undefined].filter((mask) => mask !== undefined);
    if (hidden.length === 0) return scores;
    return reshape(add(reshape(scores, [batch, groups, height, heads, width]), hidden.reduce(add)), scores.shape);
  };
}

/** Rows [from, to) of tokens, `heads` of them each. */
function part(x: Value, { from, to }: Range, heads = 1): Value {
  const [batch, groups, , width] = x.shape as [number, number, number, number];
  return slice(x, [0, 0, from * heads, 0], [batch, groups, to * heads, width]);
}

/** x with a further column of one number. */
function beside(x: Value, number: number): Value {
  return concat([x, broadcastTo(cast(x.graph.scalar(number), x.dtype), [...x.shape.slice(0, -1), 1])], 3);
}

/** The same numbers, but not before the others are there: plus zero times one element of each. */
function after(x: Value, others: readonly (Value | undefined)[]): Value {
  return others.reduce<Value>((result, other) => (other ? add(result, nothingOf(other)) : result), x);
}

function nothingOf(x: Value): Value {
  return mul(reshape(slice(x, x.shape.map(() => 0), x.shape.map(() => 1)), []), 0);
}

/** Segments that depend on a layer's own value, or an engine would compute the masks of all tiles once and keep them for every layer. */
function fresh(segments: Value, own: Value): Value {
  return add(segments, cast(nothingOf(own), 'int32'));
}

export interface FlashOptions {
  /** [B, T, H, D] */
  readonly q: Value;
  /** [B, T, Hkv, D]; H is a multiple of Hkv. */
  readonly k: Value;
  readonly v: Value;
  /** int32 [B, T]; tokens of different segments do not see each other. */
  readonly segments?: Value | undefined;
  /** A query sees itself and window - 1 tokens before it. */
  readonly window?: number | undefined;
  /** Query rows, and in the backward pass keys, at once. */
  readonly tile: number;
}

/** Causal attention with scores scaled by 1 / sqrt(D); gives [B, T, H, D]. */
export function flashAttention({ q, k, v, segments, window, tile }: FlashOptions): Value {
  const [batch, length, all, width] = q.shape as [number, number, number, number];
  const groups = k.shape[2]!;
  const heads = all / groups;
  const rows = reshape(transpose(reshape(mul(q, 1 / Math.sqrt(width)), [batch, length, groups, heads, width]), [0, 2, 1, 3, 4]), [batch, groups, length * heads, width]);
  const [keys, values] = [k, v].map((x) => transpose(x, [0, 2, 1, 3])) as [Value, Value];
  const [result] = applyOp(flashAttentionOp, [rows, keys, values, ...(segments ? [segments] : [])], { heads, tile, window: Math.min(window ?? length, length) });
  return reshape(transpose(reshape(result!, [batch, groups, length, heads, width]), [0, 2, 1, 3, 4]), [batch, length, all, width]);
}
