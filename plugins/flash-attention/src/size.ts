// How large tiles are. Large ones mean fewer kernels to start and better products, small ones fit into a cache; either way their number
// and their memory both grow with the length of a sequence, not with its square.

/** Tokens of a tile. */
export interface TileSize { readonly queries: number; readonly keys: number }

export interface AttentionShape { readonly length: number; readonly heads: number; readonly groups: number; readonly window: number }

/** Scores of a tile, for each token of the sequence and each key head's query heads: 512 x 512 for two of them at 4,096 tokens. */
const SCORES_PER_TOKEN = 32;
/** Rows of a tile's products: the query heads of a key head, for each query. */
const ROWS = 512;

/** Queries so many that products have about 512 rows; keys so many that a tile has 32 x length x heads scores, but no more than half the window. */
export function tileSize({ length, heads, groups, window }: AttentionShape): TileSize {
  const queries = Math.min(256, Math.max(64, 2 ** Math.floor(Math.log2((ROWS * groups) / heads))));
  const columns = (wanted: number): number => Math.max(1, Math.ceil(wanted / queries)) * queries;
  const keys = columns(Math.max(256, (SCORES_PER_TOKEN * length) / queries));
  return { queries, keys: window < length ? Math.min(keys, columns(window / 2)) : keys };
}
