// Causal attention of new tokens to the ones before them, whose keys and values are in a cache, and
// to each other. The cache is read in place, nothing is joined to it. Built of other ops; for
// inference, where keys and values of the new tokens are results too.
import type { Value } from '../graph.ts';
import { sameShape } from '../types.ts';
import { graphError, opTypesDoNotFit } from '../errors.ts';
import { add, mul, sub } from './binary.ts';
import { broadcastTo } from './broadcast.ts';
import { concat, reshape, slice, transpose } from './shape.ts';
import { greater, less, logicalAnd, where } from './logic.ts';
import { causalMask, HIDDEN } from './masks.ts';
import { matMul } from './matmul.ts';
import { softmax } from './softmax.ts';

/** Queries, keys and values of new tokens, and the cache of the tokens before them. */
export interface CachedAttentionOptions {
  /** [B, T, H, D] */
  readonly q: Value;
  /** [B, T, Hkv, D]: the new tokens'; H is a multiple of Hkv. */
  readonly k: Value;
  readonly v: Value;
  /** int32 [B, T] */
  readonly positions: Value;
  /**
   * keys and values [B, Hkv, C, D]; place j holds the token of position j, where j is below the
   * row's int32 length [B].
   */
  readonly cache: { readonly keys: Value; readonly values: Value; readonly lengths: Value };
  /** A query sees itself and window - 1 tokens before it. */
  readonly window?: number | undefined;
  /** Default 1 / sqrt(D). */
  readonly scale?: number;
}

/** Attention of new tokens to cache and each other; returns [B, T, H, D]. */
export function cachedAttention(options: CachedAttentionOptions): Value {
  checkTypes(options);
  const { q, k, v, positions, cache, window, scale } = options;
  const [batch, length, heads, width] = q.shape as [number, number, number, number];
  const groups = k.shape[2]!;
  const size = cache.values.shape[2]!;
  const shared = heads / groups;

  // Query heads that share a key head become rows of one product: [B, Hkv, T x G, D].
  const scaled = mul(q, scale ?? 1 / Math.sqrt(width));
  const rows =
    length === 1
      ? reshape(scaled, [batch, groups, shared, width])
      : reshape(
          transpose(reshape(scaled, [batch, length, groups, shared, width]), [0, 2, 1, 3, 4]),
          [batch, groups, length * shared, width],
        );
  const perHead = (x: Value): Value =>
    length === 1 ? reshape(x, [batch, groups, 1, width]) : transpose(x, [0, 2, 1, 3]);
  const [keys, values] = [perHead(k), perHead(v)];

  const earlier = add(
    matMul(rows, cache.keys, { transposeB: true }),
    cacheMask({ lengths: cache.lengths, positions, size, window, shared }),
  );
  const among = matMul(rows, keys, { transposeB: true });
  const tile = { from: 0, to: length, first: 0, window, shared };
  const own = length === 1 ? among : add(among, causalMask(among, tile));
  const probabilities = softmax(concat([earlier, own], 3));
  const part = (from: number, to: number): Value =>
    slice(probabilities, [0, 0, 0, from], [batch, groups, length * shared, to]);
  const seen = add(matMul(part(0, size), cache.values), matMul(part(size, size + length), values));
  return length === 1
    ? reshape(seen, q.shape)
    : reshape(transpose(reshape(seen, [batch, groups, length, shared, width]), [0, 2, 1, 3, 4]), [
        batch,
        length,
        heads,
        width,
      ]);
}

function checkTypes({ q, k, v, cache, window }: CachedAttentionOptions): void {
  const [batch, length, heads, width] = q.shape as [number, number, number, number];
  const groups = k.shape[2]!;
  const size = cache.values.shape[2]!;
  const fits =
    q.shape.length === 4 &&
    sameShape(k.shape, [batch, length, groups, width]) &&
    sameShape(k.shape, v.shape) &&
    Number.isInteger(heads / groups) &&
    sameShape(cache.keys.shape, [batch, groups, size, width]) &&
    sameShape(cache.values.shape, [batch, groups, size, width]) &&
    sameShape(cache.lengths.shape, [batch]);
  if (!fits) {
    throw opTypesDoNotFit(
      'cachedAttention',
      [q, k, v, cache.keys, cache.values, cache.lengths],
      'takes q [B, T, H, D], k and v [B, T, Hkv, D], keys and values [B, Hkv, C, D] and lengths [B]',
    );
  }
  if (window !== undefined && !(window >= 1)) {
    throw graphError('cachedAttention', `window must be at least 1, not ${window}`);
  }
}

interface CacheMask {
  readonly lengths: Value;
  readonly positions: Value;
  readonly size: number;
  readonly window: number | undefined;
  readonly shared: number;
}

const cacheMasks = new WeakMap<Value, Map<string, Value>>();

/**
 * [B, 1, T x G or 1, C]: 0 where a query may look, HIDDEN elsewhere. All layers with one window
 * share it.
 */
function cacheMask({ lengths, positions, size, window, shared }: CacheMask): Value {
  const known = cacheMasks.get(lengths) ?? new Map<string, Value>();
  cacheMasks.set(lengths, known);
  const [batch, length] = positions.shape as [number, number];
  const key = `${positions.id} ${size} ${window} ${shared}`;
  const found = known.get(key);
  if (found) return found;
  const places = lengths.graph.constant(
    Int32Array.from({ length: size }, (_, place) => place),
    [1, 1, size],
    'int32',
  );
  const filled = less(places, reshape(lengths, [batch, 1, 1]));
  const near =
    window === undefined
      ? filled
      : logicalAnd(filled, greater(places, sub(reshape(positions, [batch, length, 1]), window)));
  const hidden = where(near, 0, HIDDEN);
  const queries = hidden.shape[1]!;
  const repeated =
    queries === 1
      ? hidden
      : reshape(
          broadcastTo(reshape(hidden, [batch, queries, 1, size]), [batch, queries, shared, size]),
          [batch, queries * shared, size],
        );
  const mask = reshape(repeated, [batch, 1, repeated.shape[1]!, size]);
  known.set(key, mask);
  return mask;
}
