// How large tiles are. Large ones mean fewer kernels to start and better products, small ones stay
// in a core's cache; either way memory grows with the length of a sequence, not with its square.

export interface AttentionShape {
  readonly length: number;
  readonly heads: number;
  readonly groups: number;
}

/** Scores of a tile for one key head: 2 MB in float32. */
const SCORES = 1 << 19;

/**
 * Tokens of a tile, queries as well as keys: a power of two, so that the scores of the query heads
 * of a key head are about 2 MB.
 */
export function tileSize({ length, heads, groups }: AttentionShape): number {
  return Math.min(length, 2 ** Math.round(Math.log2((SCORES * groups) / heads) / 2));
}
