// Lowers attention over packed samples, tile by tile: a tile of queries reads keys from the first
// one that a query of it sees, which the segments give at run time. The cost depends on the lengths
// of the samples, not of the row.
import {
  HIDDEN,
  segmentTiles,
  type Node,
  type SegmentedAttentionAttributes,
  type Value,
} from '@lmflow/sdk/graph';
import type { Emitter } from '../onnx/emitter.ts';
import { ELEMENT_TYPES } from '../onnx/schema.ts';
import { entry, type LoweringEntry } from './lowering.ts';

/**
 * A tile of the queries [from, to), whose keys end at `to`.
 */
interface Tile {
  readonly from: number;
  readonly to: number;
  /** The first key that it may see. */
  readonly first: number;
  /** The first key that it reads; int64 [1]. */
  readonly start: string;
  /** Which keys [first, to) are in a query's segment. */
  readonly equal: string;
}

type SegmentNode = Node<SegmentedAttentionAttributes>;

/**
 * The tiles of a node, shared by all layers of a program. Starts never decrease, so that no later
 * tile reads keys before a tile's start.
 */
function tilesOf(emit: Emitter, node: SegmentNode): Tile[] {
  const keys = node.inputs[1]!;
  const segments = emit.tensor(node.inputs[3]!);
  const tiles: Tile[] = [];
  for (const { from, to, first } of segmentTiles(keys, node.attributes).reverse()) {
    const part = (start: number): string =>
      emit.node('Slice', [segments, emit.ints([start]), emit.ints([to]), emit.ints([1])]);
    const equal = emit.node('Equal', [
      emit.node('Unsqueeze', [part(from), emit.ints([2])]),
      emit.node('Unsqueeze', [part(first), emit.ints([1])]),
    ]);
    const seen = emit.node(
      'ReduceMax',
      [
        emit.node('Cast', [equal], { attributes: { to: ELEMENT_TYPES.float32 } }),
        emit.ints([0, 1]),
      ],
      { attributes: { keepdims: 0 } },
    );
    const own = emit.node('Add', [
      emit.node('ArgMax', [seen], { attributes: { axis: 0 } }),
      emit.ints([first]),
    ]);
    const next = tiles[0];
    tiles.unshift({
      from,
      to,
      first,
      equal,
      start: next ? emit.node('Min', [own, next.start]) : own,
    });
  }
  return tiles;
}

/** Rows from start to end of x's third axis; both int64 [1]. */
function rows(emit: Emitter, x: string, start: string, end: string): string {
  return emit.node('Slice', [x, start, end, emit.ints([2])]);
}

/**
 * x [B, G, length x shared, ...] split into the tiles' rows by one node, since the runtime takes
 * long to prepare many nodes.
 */
function ofTiles(
  emit: Emitter,
  x: string,
  tiles: readonly Tile[],
  shared: number,
): readonly string[] {
  if (tiles.length === 1) return [x];
  return emit.nodeWithOutputs(
    'Split',
    [x, emit.ints(tiles.map(({ from, to }) => (to - from) * shared))],
    tiles.length,
    { attributes: { axis: 2 } },
  );
}

/**
 * What is added to a tile's scores: [B, 1, queries, keys], or [B, 1, queries, 1, keys] where query
 * heads share a key head.
 */
function maskOf(
  emit: Emitter,
  { from, to, first, start, equal }: Tile,
  window: number,
  length: number,
  shared: number,
): string {
  const column = (shift: number): string =>
    emit.constant(
      BigInt64Array.from({ length: to - from }, (_, row) => BigInt(from + row + shift)),
      [to - from, 1],
      'int64',
    );
  const places = emit.node('Slice', [
    emit.constant(
      BigInt64Array.from({ length }, (_, place) => BigInt(place)),
      [length],
      'int64',
    ),
    start,
    emit.ints([to]),
  ]);
  const same = rows(
    emit,
    equal,
    emit.node('Sub', [start, emit.ints([first])]),
    emit.ints([to - first]),
  );
  const before = emit.node('And', [same, emit.node('LessOrEqual', [places, column(0)])]);
  const visible =
    window === 0
      ? before
      : emit.node('And', [before, emit.node('Greater', [places, column(-window)])]);
  return emit.node('Unsqueeze', [
    emit.node('Where', [visible, emit.scalar(0), emit.scalar(HIDDEN)]),
    emit.ints(shared === 1 ? [1] : [1, 3]),
  ]);
}

function emitForward(emit: Emitter, node: SegmentNode): void {
  const { shared, window } = node.attributes;
  const [queries, keys, values] = emit.tensors(node.inputs) as [string, string, string];
  const [batch, groups, length] = node.inputs[1]!.shape as [number, number, number];
  const tiles = tilesOf(emit, node);
  const own = ofTiles(emit, queries, tiles, shared);
  const results = tiles.map((tile, index) => {
    const { from, to, start } = tile;
    const scores = emit.product(own[index]!, rows(emit, keys, start, emit.ints([to])), 'b');
    const apart =
      shared === 1
        ? scores
        : emit.node('Reshape', [scores, emit.ints([batch, groups, to - from, shared, -1])]);
    const softmax = emit.node('Softmax', [
      emit.node('Add', [apart, maskOf(emit, tile, window, length, shared)]),
    ]);
    const probabilities =
      shared === 1
        ? softmax
        : emit.node('Reshape', [softmax, emit.ints([batch, groups, (to - from) * shared, -1])]);
    const output = node.outputs[index + 1]!;
    if (emit.used(output)) emit.set(output, probabilities);
    return emit.product(probabilities, rows(emit, values, start, emit.ints([to])));
  });
  emit.set(node.outputs[0]!, joined(emit, results));
}

function emitGradient(emit: Emitter, node: SegmentNode): void {
  const { shared } = node.attributes;
  const [queries, keys, values, , result, gradient, ...probabilities] = emit.tensors(
    node.inputs,
  ) as [string, string, string, string, string, string, ...string[]];
  const along = emit.node('ReduceSum', [emit.node('Mul', [gradient, result]), emit.ints([-1])]);
  const tiles = tilesOf(emit, node);
  const [own, arriving, lengths] = [queries, gradient, along].map((x) =>
    ofTiles(emit, x, tiles, shared),
  ) as [readonly string[], readonly string[], readonly string[]];
  const column = new Column(emit);
  const ofQueries = tiles.map((tile, index) => {
    const { to, start } = tile;
    const byProbability = emit.product(
      arriving[index]!,
      rows(emit, values, start, emit.ints([to])),
      'b',
    );
    const ofScores = emit.node('Mul', [
      probabilities[index]!,
      emit.node('Sub', [byProbability, lengths[index]!]),
    ]);
    const [ofKeys, ofValues] = [
      emit.product(ofScores, own[index]!, 'a'),
      emit.product(probabilities[index]!, arriving[index]!, 'a'),
    ];
    column.add(tile, joined(emit, [ofKeys, ofValues], 3));
    return emit.product(ofScores, rows(emit, keys, start, emit.ints([to])));
  });
  const width = node.inputs[1]!.shape[3]!;
  const [ofKeys, ofValues] = emit.nodeWithOutputs(
    'Split',
    [column.whole(), emit.ints([width, width])],
    2,
    {
      attributes: { axis: 3 },
    },
  ) as [string, string];
  [joined(emit, ofQueries), ofKeys, ofValues].forEach((tensor, index) => {
    const output: Value = node.outputs[index]!;
    if (emit.used(output)) emit.set(output, tensor);
  });
}

/**
 * The gradient of keys and values, side by side, summed from tile to tile: rows before a tile's
 * start are final, and each tile adds to the rows from its start on.
 */
class Column {
  readonly #emit: Emitter;
  readonly #done: string[] = [];
  #open: { readonly start: string; readonly to: number; readonly sum: string } | undefined;

  constructor(emit: Emitter) {
    this.#emit = emit;
  }

  /** `found` is the tile's gradient of the keys from its start to its end. */
  add({ start, to }: Tile, found: string): void {
    const [emit, open] = [this.#emit, this.#open];
    if (!open) {
      this.#open = { start, to, sum: found };
      return;
    }
    const [none, passed, kept] = [
      emit.ints([0]),
      emit.node('Sub', [start, open.start]),
      emit.node('Sub', [emit.ints([open.to]), start]),
    ];
    const end = emit.ints([Number.MAX_SAFE_INTEGER]);
    this.#done.push(rows(emit, open.sum, none, passed));
    const both = emit.node('Add', [
      rows(emit, open.sum, passed, end),
      rows(emit, found, none, kept),
    ]);
    this.#open = { start, to, sum: joined(emit, [both, rows(emit, found, kept, end)]) };
  }

  whole(): string {
    return joined(this.#emit, [...this.#done, this.#open!.sum]);
  }
}

function joined(emit: Emitter, parts: readonly string[], axis = 2): string {
  return parts.length === 1 ? parts[0]! : emit.node('Concat', parts, { attributes: { axis } });
}

const fits = ({ inputs }: SegmentNode): boolean => inputs[0]!.dtype === 'float32';

/** Lowerings of `segmentedAttention` and its gradient, a tile of queries at a time. */
export const segmented: Readonly<Record<string, LoweringEntry>> = {
  segmentedAttention: entry(emitForward, fits),
  segmentedAttentionGradient: entry(emitGradient, fits),
};
