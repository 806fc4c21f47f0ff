// Which queries meet which keys: the causal triangle (or band, with a window) cut into rectangles, and the masks of those on its edges.
import type { DType, Graph, Value } from '@lmflow/sdk/graph';
import { cast } from '@lmflow/sdk/graph';

/** Tokens [from, to). */
export interface Range { readonly from: number; readonly to: number }

/** A range whose tokens either all see (are seen by) the other side's, or need a mask. */
export interface Piece extends Range { readonly masked: boolean }

/** Added to the scores of keys that a query must not see. Finite, so that differences of it are numbers. */
export const HIDDEN = -1e30;

/** `length` tokens, `size` at once. */
export function ranges(length: number, size: number): Range[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, index) => ({ from: index * size, to: Math.min(length, (index + 1) * size) }));
}

/** The keys that queries [from, to) see; the last piece is the diagonal. A query sees itself and window - 1 tokens before it. */
export function keysOf({ from, to }: Range, window: number): Piece[] {
  const first = Math.max(0, from - window + 1);
  const seenByAll = Math.min(from, Math.max(first, to - window));
  return present([{ from: first, to: seenByAll, masked: true }, { from: seenByAll, to: from, masked: false }, { from, to, masked: true }]);
}

/** The queries that see keys [from, to), of `length` in all; the first piece is the diagonal. */
export function queriesOf({ from, to }: Range, window: number, length: number): Piece[] {
  const end = Math.min(length, to + window - 1);
  const seeingAll = Math.max(to, Math.min(end, from + window));
  return present([{ from, to, masked: true }, { from: to, to: seeingAll, masked: false }, { from: seeingAll, to: end, masked: true }]);
}

function present(pieces: readonly Piece[]): Piece[] {
  return pieces.filter(({ from, to }) => to > from);
}

/** Masks [queries, 1, keys] of one graph; those of equal rectangles are one constant. */
export class Masks {
  readonly #known = new Map<string, Value>();

  constructor(private readonly graph: Graph, private readonly dtype: DType, private readonly window: number) {}

  of(queries: Range, keys: Range): Value {
    const [height, width, ahead] = [queries.to - queries.from, keys.to - keys.from, queries.from - keys.from];
    const key = [height, width, ahead].join();
    const known = this.#known.get(key);
    if (known) return known;
    const mask = new Float32Array(height * width);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const distance = row + ahead - column;
        if (distance < 0 || distance >= this.window) mask[row * width + column] = HIDDEN;
      }
    }
    const made = cast(this.graph.constant(mask, [height, 1, width], 'float32'), this.dtype);
    this.#known.set(key, made);
    return made;
  }
}
