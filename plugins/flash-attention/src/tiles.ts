// Which queries meet which keys: the causal triangle (or band, with a window) cut into rectangles, the sizes of those, and the masks of the
// ones on its edges.
import { add, cast, equal, reshape, slice, where, type Graph, type Value } from '@lmflow/sdk/graph';

/** Tokens [from, to). */
export interface Range { readonly from: number; readonly to: number }

/** Keys of one tile: those of a column of the grid, as far as the last of the queries. Not all of them are seen by all queries where `masked`. */
export interface Tile extends Range { readonly masked: boolean }



/** Added to the scores of keys that a query must not see. Finite, so that differences of it are numbers. */
const HIDDEN = -1e30;

/** `length` tokens, `size` at once. */
export function ranges(length: number, size: number): Range[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, index) => ({ from: index * size, to: Math.min(length, (index + 1) * size) }));
}

/** The tiles of keys, `size` wide, that queries [from, to) see, first to last. A query sees itself and window - 1 tokens before it. */
export function tilesOf({ from, to }: Range, size: number, window: number): Tile[] {
  const first = Math.floor(Math.max(0, from - window + 1) / size);
  return ranges(to, size).slice(first).map((keys) => ({ ...keys, masked: keys.to > from + 1 || keys.from <= to - 1 - window }));
}

export interface Hiding { readonly window: number; readonly segments: Value | undefined }

/** Hides what queries must not see from scores [B, Hkv, G x queries, keys], or `turned` ones [B, Hkv, keys, G x queries]. */
export class Hider {
  readonly #known = new Map<string, Value>();
  readonly #hiding: Hiding;

  constructor(hiding: Hiding) {
    this.#hiding = hiding;
  }

  hide(scores: Value, queries: Range, keys: Tile, turned: boolean): Value {
    const [height, width] = [queries.to - queries.from, keys.to - keys.from];
    const [batch, groups] = scores.shape as [number, number];
    const heads = scores.shape[turned ? 3 : 2]! / height;
    const masks = [keys.masked ? this.#byPlace(scores.graph, queries, keys, turned) : undefined, this.#bySegment(queries, keys, turned)].filter((mask) => mask !== undefined);
    if (masks.length === 0) return scores;
    const apart = reshape(scores, turned ? [batch, groups, width, heads, height] : [batch, groups, heads, height, width]);
    return reshape(add(apart, cast(masks.reduce(add), scores.dtype)), scores.shape);
  }

  /** [queries, keys], or [keys, 1, queries]; that of equal rectangles is one constant. */
  #byPlace(graph: Graph, queries: Range, keys: Range, turned: boolean): Value {
    const [height, width, ahead] = [queries.to - queries.from, keys.to - keys.from, queries.from - keys.from];
    const key = [height, width, ahead].join();
    const known = this.#known.get(key);
    if (known) return known;
    const mask = new Float32Array(height * width);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const distance = row + ahead - column;
        if (distance < 0 || distance >= this.#hiding.window) mask[turned ? column * height + row : row * width + column] = HIDDEN;
      }
    }
    const made = graph.constant(mask, turned ? [width, 1, height] : [height, width], 'float32');
    this.#known.set(key, made);
    return made;
  }

  /** [B, 1, 1, queries, keys], or [B, 1, keys, 1, queries]. */
  #bySegment(queries: Range, keys: Range, turned: boolean): Value | undefined {
    const { segments } = this.#hiding;
    if (!segments) return undefined;
    const batch = segments.shape[0]!;
    const cut = ({ from, to }: Range, ...before: readonly number[]): Value => reshape(slice(segments, [0, from], [batch, to]), before);
    const [height, width] = [queries.to - queries.from, keys.to - keys.from];
    const [ofQueries, ofKeys] = turned ? [cut(queries, batch, 1, 1, 1, height), cut(keys, batch, 1, width, 1, 1)] : [cut(queries, batch, 1, 1, height, 1), cut(keys, batch, 1, 1, 1, width)];
    return where(equal(ofQueries, ofKeys), 0, HIDDEN);
  }
}

/** Tokens [from, to) of x [B, H, T, D]; gives [B, Hkv, G x tokens, D], G heads at a time. */
export function part(x: Value, { from, to }: Range, groups = x.shape[1]!): Value {
  const [batch, heads, , width] = x.shape as [number, number, number, number];
  const cut = slice(x, [0, 0, from, 0], [batch, heads, to, width]);
  return groups === heads ? cut : reshape(cut, [batch, groups, (heads / groups) * (to - from), width]);
}
