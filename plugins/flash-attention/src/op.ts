// Attention that keeps no probabilities (Dao et al. 2022, FlashAttention): the forward pass keeps the log-sum-exp of each row of scores, and
// the backward pass computes the probabilities again from it, a tile at a time. Both are composites of simpler ops.
import { after, allFloat, applyOp, defineOp, mul, opTypesDoNotFit, sameShape, sum, transpose, type Value, type ValueType } from '@lmflow/sdk/graph';
import { backward } from './backward.ts';
import { forward } from './forward.ts';
import { tileSize, type TileSize } from './size.ts';

/** `queries`, `keys`: tokens of a tile. `window`: how many keys a query sees at most, itself included. */
export type FlashAttributes = { readonly queries: number; readonly keys: number; readonly window: number };

/**
 * Inputs q [B, H, T, D] (scaled), k, v [B, Hkv, T, D], optionally int32 segments [B, T]; outputs the result, like q, and the
 * log-sum-exp of the scores [B, H, T, 1], which only the gradient uses.
 */
export const flashAttentionOp = defineOp<FlashAttributes>({
  name: '@lmflow/plugin-flash-attention/flashAttention',
  infer: (inputs) => {
    const [q] = checkTypes('flashAttention', inputs, 3);
    return [q, { dtype: q.dtype, shape: [...q.shape.slice(0, -1), 1] }];
  },
  results: 1,
  decompose: ([q, k, v, segments], { window, ...size }) => forward({ q: q!, k: k!, v: v! }, { hiding: { window, segments: ownOf(segments, q!) }, size }),
  gradient: (node, [gradient]) => {
    const [q, k, v, segments] = node.inputs as [Value, Value, Value, Value?];
    const [result, sums] = node.outputs as [Value, Value];
    // The sum over keys of dP P is the sum over dimensions of dO O, which is shorter.
    const along = sum(mul(gradient!, result), { axes: [-1], keepDims: true });
    const inputs = [q, k, v, gradient!, sums, along, ...(segments ? [segments] : [])];
    return [...applyOp(flashAttentionGradientOp, inputs, node.attributes), undefined];
  },
});

/** Gradients of q, k and v. Inputs q, k, v, that of the result, the rows' log-sum-exp and dO O [B, H, T, 1], and optionally segments. */
export const flashAttentionGradientOp = defineOp<FlashAttributes>({
  name: '@lmflow/plugin-flash-attention/flashAttentionGradient',
  infer: (inputs) => checkTypes('flashAttentionGradient', inputs, 6),
  decompose: ([q, k, v, gradient, sums, along, segments], { window, ...size }) =>
    backward({ q: q!, k: k!, v: v!, gradient: gradient!, sums: sums!, along: along! }, { hiding: { window, segments: ownOf(segments, gradient!) }, size }),
});

function checkTypes(name: string, inputs: readonly ValueType[], floats: number): readonly [ValueType, ValueType, ValueType] {
  const [q, k, v] = inputs;
  const segments = inputs[floats];
  const [batch, groups, length, width] = k?.shape ?? [];
  const fits = q && k && v && k.shape.length === 4 && sameShape(k.shape, v.shape) && sameShape(q.shape, [batch!, q.shape[1]!, length!, width!]) && Number.isInteger(q.shape[1]! / groups!)
    && allFloat(inputs.slice(0, floats)) && (!segments || (segments.dtype === 'int32' && sameShape(segments.shape, [batch!, length!])));
  if (!fits) throw opTypesDoNotFit(name, inputs, 'takes q [B, H, T, D], k and v [B, Hkv, T, D] with H a multiple of Hkv, all of one float dtype, and optionally int32 segments [B, T]');
  return [q, k, v];
}

/** Segments that wait for a layer's own value, or an engine would compute the masks of all tiles once and keep them for every layer. */
function ownOf(segments: Value | undefined, own: Value): Value | undefined {
  return segments && after(segments, [own]);
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
  /** Tokens of a tile; what is not given is chosen by the shape. */
  readonly size?: Partial<TileSize> | undefined;
}

/** Causal attention with scores scaled by 1 / sqrt(D); gives [B, T, H, D]. */
export function flashAttention({ q, k, v, segments, window, size }: FlashOptions): Value {
  const [, length, heads, width] = q.shape as [number, number, number, number];
  const apart = (x: Value): Value => transpose(x, [0, 2, 1, 3]);
  const seen = Math.min(window ?? length, length);
  const attributes = { ...tileSize({ length, heads, groups: k.shape[2]!, window: seen }), ...size, window: seen };
  const [result] = applyOp(flashAttentionOp, [apart(mul(q, 1 / Math.sqrt(width))), apart(k), apart(v), ...(segments ? [segments] : [])], attributes);
  return apart(result!);
}
