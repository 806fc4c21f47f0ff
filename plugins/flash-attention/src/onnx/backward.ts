// The backward pass in ONNX: a Scan over the key heads, in it a Loop over strips of queries, in it
// a Loop over the tiles of keys before the strip's own. The probabilities of each tile are computed
// again from the rows' log-sum-exp. Scores are turned, keys by rows, so that the gradients of keys
// and values are products without a transposed operand.
import type { Emitter, Lowering } from '@lmflow/plugin-engine-onnx';
import type { FlashAttributes } from '../attributes.ts';
import { loop, scan } from './flow.ts';
import { Tiling, type Segments } from './tiling.ts';

/**
 * What a strip reads of its queries; `rows` and `arriving` have a further column, so that products
 * come out as S - lse and dP - dO O.
 */
interface Strip {
  readonly queries: string;
  readonly gradient: string;
  readonly rows: string;
  readonly arriving: string;
}
/** What is read of a tile of keys; the further column of `keysAndOne` and `valuesAndOne` is 1. */
interface Column {
  readonly keys: string;
  readonly keysAndOne: string;
  readonly valuesAndOne: string;
}

/** What a Scan's body gets of the key heads computed at once: all tiles of each tensor. */
type Elements = [
  queries: string,
  keys: string,
  values: string,
  arriving: string,
  sums: string,
  along: string,
  segmentsOfRows?: string,
  segmentsOfKeys?: string,
];

export const lowerFlashAttentionGradient: Lowering<FlashAttributes> = (emit, node) => {
  const tiling = new Tiling(emit, node);
  const { rows, tile, width, count, dtype, shared, together } = tiling;
  const [q, k, v, gradient, sums, along, segments] = node.inputs;
  const whole = [
    tiling.cut(q!, shared),
    tiling.cut(k!, 1),
    tiling.cut(v!, 1),
    ...[gradient!, sums!, along!].map((x) => tiling.cut(x, shared)),
    ...tiling.segments(segments),
  ];
  const found = scan(
    emit,
    whole,
    [rows, tile, tile].map((each) => ({ dtype, shape: [together, count, each, width] })),
    (...elements) => gradientsOfHeads(emit, tiling, elements as Elements),
  );
  node.outputs.forEach((output, index) => {
    emit.set(output, tiling.join(found[index]!, output));
  });
};

/** The gradients of queries, keys and values of some key heads, strip after strip of queries. */
function gradientsOfHeads(emit: Emitter, tiling: Tiling, elements: Elements): string[] {
  const { rows, tile, width, count, dtype, together } = tiling;
  const [, keys, values] = elements;
  const one = emit.constant(
    new Float32Array(together * count * tile).fill(1),
    [together, count, tile, 1],
    'float32',
  );
  const [keysAndOne, valuesAndOne] = [keys, values].map((x) => beside(emit, x, one)) as [
    string,
    string,
  ];
  const columns: Column = { keys, keysAndOne, valuesAndOne };
  const nothing = emit.constant(new Float32Array(0), [0, together, tile, width], 'float32');
  const [ofAllKeys, ofAllValues, ofQueries] = loop(emit, {
    trips: tiling.all,
    dtype,
    carried: [nothing, nothing],
    left: [[together, rows, width]],
    build: (strip, knownKeys, knownValues) => {
      const before = tiling.before(strip);
      const { own, earlier } = gradientsOfStrip(emit, tiling, elements, columns, { strip, before });
      return [
        tiling.grown(knownKeys, earlier.ofKeys, own.ofKeys, before),
        tiling.grown(knownValues, earlier.ofValues, own.ofValues, before),
        earlier.ofQueries,
      ];
    },
  }) as [string, string, string];
  return [ofQueries, ofAllKeys, ofAllValues].map((tensor) => tiling.turned(tensor));
}

/**
 * Gradients that a strip of queries leaves: at its `own` tile of keys, and at the `earlier` ones,
 * whose `ofQueries` is the sum over all tiles.
 */
function gradientsOfStrip(
  emit: Emitter,
  tiling: Tiling,
  [queries, , , arriving, sums, along, segmentsOfRows, segmentsOfKeys]: Elements,
  columns: Column,
  { strip, before }: { readonly strip: string; readonly before: string },
): { readonly own: Gradients; readonly earlier: Gradients } {
  const { tile, width, dtype, together } = tiling;
  const segmentsAt = (place: string): Segments =>
    segmentsOfRows && segmentsOfKeys
      ? { ofRows: tiling.at(segmentsOfRows, strip), ofKeys: tiling.at(segmentsOfKeys, place) }
      : {};
  const columnAt = (place: string): Column => ({
    keys: tiling.at(columns.keys, place),
    keysAndOne: tiling.at(columns.keysAndOne, place),
    valuesAndOne: tiling.at(columns.valuesAndOne, place),
  });
  const [ofStrip, gradient] = [tiling.at(queries, strip), tiling.at(arriving, strip)];
  const negative = (x: string): string => emit.node('Neg', [tiling.at(x, strip)]);
  const read: Strip = {
    queries: ofStrip,
    gradient,
    rows: beside(emit, ofStrip, negative(sums)),
    arriving: beside(emit, gradient, negative(along)),
  };
  const own = tiling.inHalves(segmentsOfRows !== undefined)
    ? ownInHalves(emit, tiling, read, columnAt(strip))
    : tileOf(emit, read, columnAt(strip), (scores) =>
        tiling.hideOwn(scores, true, segmentsAt(strip)),
      );
  const [ofQueries, ofKeys, ofValues] = loop(emit, {
    trips: before,
    dtype,
    carried: [own.ofQueries],
    left: [
      [together, tile, width],
      [together, tile, width],
    ],
    build: (iteration, sofar) => {
      const place = tiling.placeOf(iteration, strip, before);
      const next = tileOf(emit, read, columnAt(place), (scores) =>
        tiling.hide(scores, true, () => emit.node('Sub', [strip, place]), segmentsAt(place)),
      );
      return [emit.node('Add', [sofar, next.ofQueries]), next.ofKeys, next.ofValues];
    },
  }) as [string, string, string];
  return { own, earlier: { ofQueries, ofKeys, ofValues } };
}

interface Gradients {
  readonly ofQueries: string;
  readonly ofKeys: string;
  readonly ofValues: string;
}

function tileOf(
  emit: Emitter,
  { queries, gradient, rows, arriving }: Strip,
  { keys, keysAndOne, valuesAndOne }: Column,
  hide: (scores: string) => string,
): Gradients {
  const probabilities = emit.node('Exp', [hide(emit.product(keysAndOne, rows, 'b'))]);
  const ofValues = emit.product(probabilities, gradient);
  const ofScores = emit.node('Mul', [probabilities, emit.product(valuesAndOne, arriving, 'b')]);
  return {
    ofValues,
    ofKeys: emit.product(ofScores, queries),
    ofQueries: emit.product(ofScores, keys, 'a'),
  };
}

/**
 * A strip's own tile: both halves of the rows with their own keys, and the second half with the
 * first half's keys.
 */
function ownInHalves(
  emit: Emitter,
  tiling: Tiling,
  { queries, gradient, rows, arriving }: Strip,
  { keys, keysAndOne, valuesAndOne }: Column,
): Gradients {
  const { tile, width } = tiling;
  const half = (x: string, index: number): string =>
    tiling.at(x, emit.constant(BigInt64Array.of(BigInt(index)), [], 'int64'));
  const ofRows = (x: string, columns: number): string => tiling.halves(x, tiling.rows, columns);
  const ofKeys = (x: string, columns: number): string => tiling.halves(x, tile, columns);
  const strip: Strip = {
    queries: ofRows(queries, width),
    gradient: ofRows(gradient, width),
    rows: ofRows(rows, width + 1),
    arriving: ofRows(arriving, width + 1),
  };
  const column: Column = {
    keys: ofKeys(keys, width),
    keysAndOne: ofKeys(keysAndOne, width + 1),
    valuesAndOne: ofKeys(valuesAndOne, width + 1),
  };
  const later: Strip = {
    queries: half(strip.queries, 1),
    gradient: half(strip.gradient, 1),
    rows: half(strip.rows, 1),
    arriving: half(strip.arriving, 1),
  };
  const earlier: Column = {
    keys: half(column.keys, 0),
    keysAndOne: half(column.keysAndOne, 0),
    valuesAndOne: half(column.valuesAndOne, 0),
  };
  const own = tileOf(emit, strip, column, (scores) => tiling.hideOwn(scores, true, {}, tile / 2));
  const first = tileOf(emit, later, earlier, (scores) => scores);
  return {
    ofQueries: tiling.whole(
      half(own.ofQueries, 0),
      emit.node('Add', [half(own.ofQueries, 1), first.ofQueries]),
    ),
    ofKeys: tiling.whole(
      emit.node('Add', [half(own.ofKeys, 0), first.ofKeys]),
      half(own.ofKeys, 1),
    ),
    ofValues: tiling.whole(
      emit.node('Add', [half(own.ofValues, 0), first.ofValues]),
      half(own.ofValues, 1),
    ),
  };
}

/** x with a further column. */
function beside(emit: Emitter, x: string, column: string): string {
  return emit.node('Concat', [x, column], { attributes: { axis: -1 } });
}
