// Attention that keeps no probabilities (Dao et al. 2022, FlashAttention): the forward pass keeps
// the log-sum-exp of each row of scores, and the backward pass computes the probabilities again
// from it. Both are composites of simpler ops, a strip of queries at a time.
import {
  allFloat,
  applyOp,
  defineOp,
  mul,
  opTypesDoNotFit,
  reshape,
  sameShape,
  sum,
  transpose,
  type Value,
  type ValueType,
} from '@lmflow/sdk/graph';
import type { FlashAttributes } from './attributes.ts';
import { backward, forward } from './strips.ts';
import { tileSize } from './size.ts';

/**
 * Inputs q [B, Hkv, T x G, D] (scaled; the G query heads of a key head one after another for each
 * token), k, v [B, Hkv, T, D], optionally int32 segments [B, T]; outputs the result, like q, and
 * the log-sum-exp of the scores [B, Hkv, T x G, 1], which only the gradient uses.
 */
export const flashAttentionOp = defineOp<FlashAttributes>({
  name: '@lmflow/plugin-flash-attention/flashAttention',
  infer: (inputs) => {
    const [q] = checkTypes('flashAttention', inputs, 3);
    return [q, { dtype: q.dtype, shape: [...q.shape.slice(0, -1), 1] }];
  },
  results: 1,
  decompose: ([q, k, v, segments], attributes) =>
    forward({ q: q!, k: k!, v: v!, segments }, attributes),
  gradient: (node, [gradient]) => {
    const [q, k, v, segments] = node.inputs as [Value, Value, Value, Value?];
    const [result, sums] = node.outputs as [Value, Value];
    // The sum over keys of dP P is the sum over dimensions of dO O, which is shorter.
    const along = sum(mul(gradient!, result), { axes: [-1], keepDims: true });
    const inputs = [q, k, v, gradient!, sums, along, ...(segments ? [segments] : [])];
    return [...applyOp(flashAttentionGradientOp, inputs, node.attributes), undefined];
  },
});

/**
 * Gradients of q, k and v. Inputs q, k, v, that of the result, the rows' log-sum-exp and dO O [B,
 * Hkv, T x G, 1], and optionally segments.
 */
export const flashAttentionGradientOp = defineOp<FlashAttributes>({
  name: '@lmflow/plugin-flash-attention/flashAttentionGradient',
  infer: (inputs) => checkTypes('flashAttentionGradient', inputs, 6),
  decompose: ([q, k, v, gradient, sums, along, segments], attributes) =>
    backward(
      { q: q!, k: k!, v: v!, gradient: gradient!, sums: sums!, along: along!, segments },
      attributes,
    ),
});

function checkTypes(
  name: string,
  inputs: readonly ValueType[],
  floats: number,
): readonly [ValueType, ValueType, ValueType] {
  const [q, k, v] = inputs;
  const segments = inputs[floats];
  const [batch, groups, length, width] = k?.shape ?? [];
  const fits =
    q &&
    k &&
    v &&
    k.shape.length === 4 &&
    sameShape(k.shape, v.shape) &&
    sameShape(q.shape, [batch!, groups!, q.shape[2]!, width!]) &&
    Number.isInteger(q.shape[2]! / length!) &&
    allFloat(inputs.slice(0, floats)) &&
    (!segments || (segments.dtype === 'int32' && sameShape(segments.shape, [batch!, length!])));
  if (!fits) {
    throw opTypesDoNotFit(
      name,
      inputs,
      'takes q [B, Hkv, T x G, D], k and v [B, Hkv, T, D], all of one float dtype, ' +
        'and optionally int32 segments [B, T]',
    );
  }
  return [q, k, v];
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
  /** Tokens of a tile; chosen by the shape where it is not given. */
  readonly tile?: number | undefined;
}

/** Causal attention with scores scaled by 1 / sqrt(D); gives [B, T, H, D]. */
export function flashAttention({ q, k, v, segments, window, tile }: FlashOptions): Value {
  const [batch, length, heads, width] = q.shape as [number, number, number, number];
  const groups = k.shape[2]!;
  const shared = heads / groups;
  const apart = (x: Value): Value => transpose(x, [0, 2, 1, 3]);
  const rows = reshape(
    transpose(reshape(q, [batch, length, groups, shared, width]), [0, 2, 1, 3, 4]),
    [batch, groups, length * shared, width],
  );
  const attributes = {
    tile: Math.min(tile ?? tileSize({ length, heads, groups }), length),
    window: Math.min(window ?? length, length),
  };
  const [result] = applyOp(
    flashAttentionOp,
    [rows, apart(mul(k, 1 / Math.sqrt(width))), apart(v), ...(segments ? [segments] : [])],
    attributes,
  );
  return reshape(
    transpose(reshape(result!, [batch, groups, length, shared, width]), [0, 2, 1, 3, 4]),
    [batch, length, heads, width],
  );
}
