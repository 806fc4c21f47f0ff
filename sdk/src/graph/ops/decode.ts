// Attention of a decoding step: one new token of each row sees the tokens in the row's cache and
// itself, and is put into the cache. An engine can write the new cache over the old one instead of
// copying it. For inference; cached.ts is for several new tokens.
import type { Value } from '../graph.ts';
import { applyOp, defineOp } from '../op.ts';
import { isFloat, sameShape } from '../types.ts';
import { graphError, opTypesDoNotFit } from '../errors.ts';
import { add, mul, sub } from './binary.ts';
import { reshape, transpose } from './shape.ts';
import { equal, greater, lessOrEqual, logicalAnd, where } from './logic.ts';
import { HIDDEN } from './masks.ts';
import { matMul } from './matmul.ts';
import { softmax } from './softmax.ts';

/**
 * `window`: keys that are seen at most, the token's own included; 0 for all. `scale` multiplies the
 * scores.
 */
export type DecodeAttentionAttributes = { readonly window: number; readonly scale: number };

/**
 * Inputs q [B, 1, H, D], k and v [B, 1, Hkv, D], keys and values [B, Hkv, C, D], int32 lengths [B]:
 * place j holds the token of position j, for j below the row's length, which is below C. Outputs:
 * the result, like q, and keys and values with the new token at the place `length` (places after it
 * hold anything finite).
 */
export const decodeAttentionOp = defineOp<DecodeAttentionAttributes>({
  name: 'decodeAttention',
  infer: (inputs, { window }) => {
    const [q, k, v, keys, values, lengths] = inputs;
    const [batch = -1, length, heads = 0, width = -1] = q?.shape ?? [];
    const [, groups = 1, size = -1] = keys?.shape ?? [];
    const fits =
      q &&
      k &&
      v &&
      keys &&
      values &&
      lengths?.dtype === 'int32' &&
      isFloat(q.dtype) &&
      [k, v, keys, values].every(({ dtype }) => dtype === q.dtype) &&
      length === 1 &&
      heads % groups === 0 &&
      sameShape(k.shape, [batch, 1, groups, width]) &&
      sameShape(k.shape, v.shape) &&
      sameShape(keys.shape, [batch, groups, size, width]) &&
      sameShape(values.shape, keys.shape) &&
      sameShape(lengths.shape, [batch]);
    if (!fits) {
      throw opTypesDoNotFit(
        'decodeAttention',
        inputs,
        'takes q [B, 1, H, D], k and v [B, 1, Hkv, D], keys and values [B, Hkv, C, D], ' +
          'all of one float dtype, and int32 lengths [B]',
      );
    }
    if (!(Number.isInteger(window) && window >= 0)) {
      throw graphError(
        'decodeAttention',
        `window must be a whole number, 0 for none, not ${window}`,
      );
    }
    return [q, keys, values];
  },
  decompose: ([q, k, v, keys, values, lengths], { window, scale }) => {
    const [batch, groups, size, width] = keys!.shape as [number, number, number, number];
    const shared = q!.shape[2]! / groups;
    const places = q!.graph.constant(
      Int32Array.from({ length: size }, (_, place) => place),
      [1, size],
      'int32',
    );
    const ends = reshape(lengths!, [batch, 1]);
    const own = reshape(equal(places, ends), [batch, 1, size, 1]);
    const [newKeys, newValues] = (
      [
        [k!, keys!],
        [v!, values!],
      ] as const
    ).map(([token, cache]) => where(own, transpose(token, [0, 2, 1, 3]), cache)) as [Value, Value];
    const filled = lessOrEqual(places, ends);
    const seen = window === 0 ? filled : logicalAnd(filled, greater(places, sub(ends, window)));
    const scores = matMul(reshape(mul(q!, scale), [batch, groups, shared, width]), newKeys, {
      transposeB: true,
    });
    const probabilities = softmax(
      add(scores, reshape(where(seen, 0, HIDDEN), [batch, 1, 1, size])),
    );
    return [reshape(matMul(probabilities, newValues), q!.shape), newKeys, newValues];
  },
});

/** Query, key and value of one new token a row, and the cache that they are written into. */
export interface DecodeAttentionOptions {
  /** [B, 1, H, D] */
  readonly q: Value;
  /** [B, 1, Hkv, D]: the new token's; H is a multiple of Hkv. */
  readonly k: Value;
  readonly v: Value;
  /** keys and values [B, Hkv, C, D], int32 lengths [B] below C. */
  readonly cache: { readonly keys: Value; readonly values: Value; readonly lengths: Value };
  /** A query sees itself and window - 1 tokens before it. */
  readonly window?: number | undefined;
  /** Default 1 / sqrt(D). */
  readonly scale?: number;
}

/** Attention of one new token a row; returns [B, 1, H, D] and the cache with the token in it. */
export function decodeAttention({ q, k, v, cache, window = 0, scale }: DecodeAttentionOptions): {
  readonly result: Value;
  readonly keys: Value;
  readonly values: Value;
} {
  const [result, keys, values] = applyOp(
    decodeAttentionOp,
    [q, k, v, cache.keys, cache.values, cache.lengths],
    { window, scale: scale ?? 1 / Math.sqrt(q.shape[3]!) },
  );
  return { result: result!, keys: keys!, values: values! };
}
