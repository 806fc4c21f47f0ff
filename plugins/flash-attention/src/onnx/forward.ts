// The forward pass in ONNX: a Scan over the key heads, in it a Loop over strips of queries, in it a
// Loop over the tiles of keys before the strip's own that adds tile to tile (the online softmax).
// The program's size does not depend on the length.
import type { Emitter, Lowering } from '@lmflow/plugin-engine-onnx';
import type { FlashAttributes } from '../attributes.ts';
import { loop, scan } from './flow.ts';
import { Tiling } from './tiling.ts';

/** What a Scan's body gets of the key heads computed at once: all tiles of each tensor. */
type Elements = [
  queries: string,
  keys: string,
  values: string,
  segmentsOfRows?: string,
  segmentsOfKeys?: string,
];

export const lowerFlashAttention: Lowering<FlashAttributes> = (emit, node) => {
  const tiling = new Tiling(emit, node);
  const { rows, width, count, dtype, together } = tiling;
  const [q, k, v, segments] = node.inputs;
  const whole = [
    tiling.cut(q!, tiling.shared),
    tiling.cut(k!, 1),
    tiling.cut(v!, 1),
    ...tiling.segments(segments),
  ];
  const found = scan(
    emit,
    whole,
    [
      { dtype, shape: [together, count, rows, width] },
      { dtype, shape: [together, count, rows, 1] },
    ],
    (...elements) => {
      const left = loop(emit, {
        trips: tiling.all,
        dtype,
        carried: [],
        left: [
          [together, rows, width],
          [together, rows, 1],
        ],
        build: (strip) => attendedByStrip(emit, tiling, elements as Elements, strip),
      });
      return left.map((tensor) => tiling.turned(tensor));
    },
  );
  node.outputs.forEach((output, index) => {
    emit.set(output, tiling.join(found[index]!, output));
  });
};

/** Value and log-sum-exp of a strip of queries over all tiles of keys that it sees. */
function attendedByStrip(
  emit: Emitter,
  tiling: Tiling,
  [queries, keys, values, segmentsOfRows, segmentsOfKeys]: Elements,
  strip: string,
): string[] {
  const before = tiling.before(strip);
  const ofQueries = tiling.at(queries, strip);
  const ofRows = segmentsOfRows && tiling.at(segmentsOfRows, strip);
  const attended = (
    place: string,
    hide: (scores: string, ofKeys: string | undefined) => string,
  ): Softmax =>
    softmaxOf(
      emit,
      hide(
        emit.product(ofQueries, tiling.at(keys, place), 'b'),
        segmentsOfKeys && tiling.at(segmentsOfKeys, place),
      ),
      tiling.at(values, place),
    );
  const own = tiling.inHalves(segmentsOfRows !== undefined)
    ? ownInHalves(emit, tiling, [ofQueries, tiling.at(keys, strip), tiling.at(values, strip)])
    : attended(strip, (scores, ofKeys) => tiling.hideOwn(scores, false, { ofRows, ofKeys }));
  return loop(emit, {
    trips: before,
    dtype: tiling.dtype,
    left: [],
    carried: [own.value, own.sum],
    build: (iteration, value, sum) => {
      const place = tiling.placeOf(iteration, strip, before);
      const apart = (): string => emit.node('Sub', [strip, place]);
      const next = attended(place, (scores, ofKeys) =>
        tiling.hide(scores, false, apart, { ofRows, ofKeys }),
      );
      return joined(emit, { value: value, sum: sum }, next);
    },
  });
}

/**
 * A strip's own tile: both halves of the rows with their own keys, and the second half with the
 * first half's keys.
 */
function ownInHalves(
  emit: Emitter,
  tiling: Tiling,
  [queries, keys, values]: readonly [string, string, string],
): Softmax {
  const { rows, tile, width } = tiling;
  const half = (x: string, index: number): string =>
    tiling.at(x, emit.constant(BigInt64Array.of(BigInt(index)), [], 'int64'));
  const [q, k, v] = [
    tiling.halves(queries, rows, width),
    tiling.halves(keys, tile, width),
    tiling.halves(values, tile, width),
  ];
  const own = softmaxOf(emit, tiling.hideOwn(emit.product(q, k, 'b'), false, {}, tile / 2), v);
  const first = softmaxOf(emit, emit.product(half(q, 1), half(k, 0), 'b'), half(v, 0));
  const [value, sum] = joined(
    emit,
    { value: half(own.value, 1), sum: half(own.sum, 1) },
    first,
  ) as [string, string];
  return {
    value: tiling.whole(half(own.value, 0), value),
    sum: tiling.whole(half(own.sum, 0), sum),
  };
}

/** The softmax of some keys' scores times their values, and the log-sum-exp of the scores. */
interface Softmax {
  readonly value: string;
  readonly sum: string;
}

/** log sum exp is max - log P(max): neither overflows nor loses digits. */
function softmaxOf(emit: Emitter, scores: string, values: string): Softmax {
  const largest = (x: string): string => emit.node('ReduceMax', [x, emit.ints([-1])]);
  const probabilities = emit.node('Softmax', [scores], { attributes: { axis: -1 } });
  return {
    value: emit.product(probabilities, values),
    sum: emit.node('Sub', [largest(scores), emit.node('Log', [largest(probabilities)])]),
  };
}

/** The softmax over the keys of both. */
function joined(emit: Emitter, a: Softmax, b: Softmax): string[] {
  const larger = emit.node('Max', [a.sum, b.sum]);
  const shares = [a, b].map(({ sum }) => emit.node('Exp', [emit.node('Sub', [sum, larger])]));
  const total = emit.node('Add', shares);
  const [ofA, ofB] = [a, b].map(({ value }, index) =>
    emit.node('Mul', [value, emit.node('Div', [shares[index]!, total])]),
  ) as [string, string];
  return [emit.node('Add', [ofA, ofB]), emit.node('Add', [larger, emit.node('Log', [total])])];
}
