// The causal triangle (or band, with a window) cut into square tiles: where they lie, and what
// their scores hide.
import type { Emitter } from '@lmflow/plugin-engine-onnx';
import { HIDDEN, type DType, type Node, type Value } from '@lmflow/sdk/graph';
import type { FlashAttributes } from '../attributes.ts';
import type { Over } from './flow.ts';

/**
 * Key heads at once: a processor of two cores computes one on each, so that scores stay in a core's
 * cache from one kernel to the next.
 */
const TOGETHER = 2;
/** Tiles from this many tokens on are worth the kernels that their halves take. */
const WORTH_HALVES = 128;
/** ONNX's number for the type. */
const INT32 = 6;

export class Tiling {
  readonly dtype: DType;
  /** Key heads of all sequences, and how many of them are computed at once. */
  readonly heads: number;
  readonly together: number;
  /**
   * Query heads of a key head, dimensions of a head, tokens, tokens of a tile, and how many tiles
   * they make.
   */
  readonly shared: number;
  readonly width: number;
  readonly length: number;
  readonly tile: number;
  readonly count: number;
  readonly #emit: Emitter;
  readonly #window: number;
  readonly #groups: number;

  constructor(emit: Emitter, { inputs, attributes }: Node<FlashAttributes>) {
    const [q, k] = inputs as [Value, Value];
    const [batch, groups, length, width] = k.shape as [number, number, number, number];
    this.#emit = emit;
    this.#groups = groups;
    this.#window = attributes.window;
    this.dtype = q.dtype;
    this.heads = batch * groups;
    this.together = this.heads % TOGETHER === 0 ? TOGETHER : 1;
    this.shared = q.shape[2]! / length;
    this.width = width;
    this.length = length;
    this.tile = attributes.tile;
    this.count = Math.ceil(length / attributes.tile);
  }

  /** Rows of a tile: its queries, for each of the query heads of a key head. */
  get rows(): number {
    return this.tile * this.shared;
  }

  /**
   * x [B, Hkv, T x each, D] as [heads / together, together, tiles, tile x each, D], with zeros
   * after the last token.
   */
  cut(x: Value, each: number): Over {
    const [emit, missing, width] = [this.#emit, this.count * this.tile - this.length, x.shape[3]!];
    const whole =
      missing > 0
        ? emit.node('Pad', [emit.tensor(x), emit.ints([0, 0, 0, 0, 0, 0, missing * each, 0])])
        : emit.tensor(x);
    return this.#over(whole, this.dtype, [this.tile * each, width]);
  }

  /** What `cut` was, for a result `as` another value. */
  join(tensor: string, as: Value): string {
    const [emit, each] = [this.#emit, as.shape[2]! / this.length];
    const whole = emit.node('Reshape', [
      tensor,
      emit.ints([as.shape[0]!, as.shape[1]!, this.count * this.tile * each, as.shape[3]!]),
    ]);
    return this.count * this.tile === this.length
      ? whole
      : emit.node('Slice', [
          whole,
          emit.ints([0]),
          emit.ints([this.length * each]),
          emit.ints([2]),
        ]);
  }

  #over(whole: string, dtype: DType, ofTile: readonly number[]): Over {
    const shape = [this.together, this.count, ...ofTile];
    return {
      tensor: this.#emit.node('Reshape', [
        whole,
        this.#emit.ints([this.heads / this.together, ...shape]),
      ]),
      type: { dtype, shape },
    };
  }

  /** int32 segments [B, T] as those of the rows and of the keys of each tile, like `cut`. */
  segments(x: Value | undefined): readonly Over[] {
    if (!x) return [];
    const [emit, batch, missing] = [this.#emit, x.shape[0]!, this.count * this.tile - this.length];
    const whole =
      missing > 0
        ? emit.node('Pad', [emit.tensor(x), emit.ints([0, 0, 0, missing])])
        : emit.tensor(x);
    return [this.shared, 1].map((each): Over => {
      const apart = emit.node('Reshape', [whole, emit.ints([batch, 1, this.count * this.tile, 1])]);
      const wide = emit.node('Expand', [
        apart,
        emit.ints([batch, this.#groups, this.count * this.tile, each]),
      ]);
      return this.#over(wide, 'int32', [this.tile * each]);
    });
  }

  /** How many tiles there are, an int64 scalar. */
  get all(): string {
    return this.#emit.constant(BigInt64Array.of(BigInt(this.count)), [], 'int64');
  }

  /** One tile of x [together, tiles, ...]. */
  at(x: string, place: string): string {
    return this.#emit.node('Gather', [x, place], { attributes: { axis: 1 } });
  }

  /** [tiles, together, ...], as loops leave it, as [together, tiles, ...]. */
  turned(x: string): string {
    return this.#emit.node('Transpose', [x], { attributes: { perm: [1, 0, 2, 3] } });
  }

  /** How many whole tiles of keys a strip sees before its own, an int64 scalar. */
  before(strip: string): string {
    const emit = this.#emit;
    if (!this.#banded) return emit.node('Identity', [strip]);
    const numbers = BigInt64Array.from({ length: this.count }, (_, place) =>
      BigInt(place - Math.max(0, Math.floor((place * this.tile - this.#window + 1) / this.tile))),
    );
    return emit.node('Gather', [emit.constant(numbers, [this.count], 'int64'), strip]);
  }

  /** The number of the tile of keys that an iteration is at. */
  placeOf(iteration: string, strip: string, before: string): string {
    return this.#banded
      ? this.#emit.node('Add', [this.#emit.node('Sub', [strip, before]), iteration])
      : iteration;
  }

  /**
   * Gradients [tiles, together, tile, D] of all keys until a strip's own: the `known` ones, with
   * those found for the tiles before its own and for that one.
   */
  grown(known: string, found: string, ofOwn: string, before: string): string {
    const emit = this.#emit;
    const joined = (parts: readonly string[]): string =>
      emit.node('Concat', [...parts, emit.node('Unsqueeze', [ofOwn, emit.ints([0])])], {
        attributes: { axis: 0 },
      });
    if (!this.#banded) return joined([emit.node('Add', [known, found])]);
    // Those outside the window stay as they are.
    const size = emit.node('Shape', [known], { attributes: { start: 0, end: 1 } });
    const border = emit.node('Sub', [size, before]);
    return joined([
      emit.node('Slice', [known, emit.ints([0]), border]),
      emit.node('Add', [emit.node('Slice', [known, border, size]), found]),
    ]);
  }

  get #banded(): boolean {
    return this.#window < this.length;
  }

  /**
   * Whether a strip's own tile is computed in parts: only its later half of rows sees the earlier
   * half of its keys, and all of those.
   */
  inHalves(segments: boolean): boolean {
    return (
      !segments && this.tile % 2 === 0 && this.tile >= WORTH_HALVES && this.#window >= this.tile
    );
  }

  /** x [together, each, D] as [together, 2, each / 2, D]. */
  halves(x: string, each: number, width: number): string {
    return this.#emit.node('Reshape', [x, this.#emit.ints([this.together, 2, each / 2, width])]);
  }

  /** Two of [together, each / 2, D], one after the other. */
  whole(first: string, second: string): string {
    return this.#emit.node('Concat', [first, second], { attributes: { axis: 1 } });
  }

  /**
   * Scores of keys and queries of the same `tokens`, [..., rows, keys] or `turned`, without those
   * of keys after the query or outside the window.
   */
  hideOwn(scores: string, turned: boolean, segments: Segments, tokens = this.tile): string {
    const emit = this.#emit;
    const mask = new Float32Array(tokens * this.shared * tokens);
    this.#fill(turned, tokens, (index, distance) => {
      if (distance < 0 || distance >= this.#window) mask[index] = HIDDEN;
    });
    return this.#hide(
      emit.node('Add', [scores, emit.constant(mask, this.#shape(turned, tokens), 'float32')]),
      this.#bySegment(turned, segments),
    );
  }

  /** The same for a tile whose keys begin `apart` tiles (int64 scalar) before the queries. */
  hide(scores: string, turned: boolean, apart: () => string, segments: Segments): string {
    return this.#hide(scores, [
      ...this.#byWindow(turned, apart),
      ...this.#bySegment(turned, segments),
    ]);
  }

  #hide(scores: string, seen: readonly string[]): string {
    const emit = this.#emit;
    return seen.length === 0
      ? scores
      : emit.node('Where', [
          seen.reduce((all, mask) => emit.node('And', [all, mask])),
          scores,
          emit.scalar(HIDDEN),
        ]);
  }

  #bySegment(turned: boolean, { ofRows, ofKeys }: Segments): string[] {
    if (ofRows === undefined || ofKeys === undefined) return [];
    const emit = this.#emit;
    return [
      emit.node('Equal', [
        emit.node('Unsqueeze', [turned ? ofKeys : ofRows, emit.ints([2])]),
        emit.node('Unsqueeze', [turned ? ofRows : ofKeys, emit.ints([1])]),
      ]),
    ];
  }

  #byWindow(turned: boolean, apart: () => string): string[] {
    if (!this.#banded) return [];
    const emit = this.#emit;
    const distances = new Int32Array(this.rows * this.tile);
    this.#fill(turned, this.tile, (index, distance) => {
      distances[index] = distance;
    });
    const offset = emit.node('Mul', [
      emit.node('Cast', [apart()], { attributes: { to: INT32 } }),
      emit.constant(Int32Array.of(this.tile), [], 'int32'),
    ]);
    return [
      emit.node('Less', [
        emit.constant(distances, this.#shape(turned, this.tile), 'int32'),
        emit.node('Sub', [emit.constant(Int32Array.of(this.#window), [], 'int32'), offset]),
      ]),
    ];
  }

  #shape(turned: boolean, tokens: number): number[] {
    return turned ? [tokens, tokens * this.shared] : [tokens * this.shared, tokens];
  }

  #fill(turned: boolean, tokens: number, put: (index: number, distance: number) => void): void {
    const rows = tokens * this.shared;
    for (let row = 0; row < rows; row++) {
      for (let key = 0; key < tokens; key++) {
        put(turned ? key * rows + row : row * tokens + key, Math.floor(row / this.shared) - key);
      }
    }
  }
}

/** int32 segments of the rows and keys of a tile, where there are any. */
export interface Segments {
  readonly ofRows?: string | undefined;
  readonly ofKeys?: string | undefined;
}
