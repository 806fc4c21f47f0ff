// The tiles that attention is computed by, and what their queries must not see.
import type { Graph, Value } from '../graph.ts';
import { add } from './binary.ts';
import { cast, reshape, slice } from './shape.ts';
import { equal, where } from './logic.ts';

/**
 * Added to the scores of keys that a query must not see. Finite, so that a row of nothing but
 * hidden keys stays finite.
 */
export const HIDDEN = -1e30;

/** Queries [from, to), which see keys [first, to) at most. */
export interface QueryTile {
  readonly from: number;
  readonly to: number;
  readonly first: number;
}

/** `size` queries at a time. A query sees itself and window - 1 tokens before it. */
export function queryTiles(length: number, size: number, window?: number): QueryTile[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, index) => {
    const from = index * size;
    return {
      from,
      to: Math.min(length, from + size),
      first: window === undefined ? 0 : Math.max(0, from - window + 1),
    };
  });
}

interface MaskedTile extends QueryTile {
  readonly window: number | undefined;
  /** So many rows, one after another, are one query's: its heads that share a key head. */
  readonly shared?: number;
}

const causalMasks = new WeakMap<Graph, Map<string, Value>>();

/**
 * [(to - from) x shared, to - first]: 0 where the query may look, HIDDEN elsewhere. All layers of a
 * graph share it.
 */
export function causalMask({ graph, dtype }: Value, tile: MaskedTile): Value {
  const known = causalMasks.get(graph) ?? new Map<string, Value>();
  causalMasks.set(graph, known);
  const key = JSON.stringify(tile);
  const { from, to, first, shared = 1 } = tile;
  const mask =
    known.get(key) ??
    graph.constant(causalNumbers(tile), [(to - from) * shared, to - first], 'float32');
  known.set(key, mask);
  return cast(mask, dtype);
}

function causalNumbers({ from, to, first, window, shared = 1 }: MaskedTile): Float32Array {
  const [height, width] = [(to - from) * shared, to - first];
  const mask = new Float32Array(height * width);
  for (let row = 0; row < height; row++) {
    const query = from + Math.floor(row / shared);
    for (let column = 0; column < width; column++) {
      const key = first + column;
      if (key > query || (window !== undefined && key <= query - window)) {
        mask[row * width + column] = HIDDEN;
      }
    }
  }
  return mask;
}

/** [B, 1, to - from, to - first], also hiding other segments. */
export function segmentMask(segments: Value, q: Value, range: MaskedTile): Value {
  const { from, to, first } = range;
  const batch = segments.shape[0]!;
  const own = reshape(slice(segments, [0, from], [batch, to]), [batch, to - from, 1]);
  const others = reshape(slice(segments, [0, first], [batch, to]), [batch, 1, to - first]);
  const hidden = reshape(where(equal(own, others), 0, HIDDEN), [batch, 1, to - from, to - first]);
  return add(cast(hidden, q.dtype), causalMask(q, range));
}

/**
 * Scores [..., rows, keys] plus a mask that broadcasts to [..., rows / shared, keys]: so many rows,
 * one after another, share one of the mask.
 */
export function addMask(scores: Value, mask: Value, shared: number): Value {
  if (shared === 1) return add(scores, mask);
  const [rows, keys] = scores.shape.slice(-2) as [number, number];
  const apart = reshape(scores, [...scores.shape.slice(0, -2), rows / shared, shared, keys]);
  return reshape(
    add(
      apart,
      reshape(
        mask,
        mask.shape.length === 1 ? mask.shape : [...mask.shape.slice(0, -1), 1, mask.shape.at(-1)!],
      ),
    ),
    scores.shape,
  );
}
