// Causal attention over packed samples. A tile of queries needs the keys from the first on that one
// of them sees, which is known only at run time: an engine can leave out the others. Probabilities
// are kept for the backward pass.
import type { Value } from '../graph.ts';
import { applyOp, defineOp } from '../op.ts';
import { sameShape, type ValueType } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { add, mul, sub } from './binary.ts';
import { allFloat } from './operands.ts';
import { sum } from './broadcast.ts';
import { concat, pad, slice } from './shape.ts';
import { addMask, queryTiles, segmentMask, type QueryTile } from './masks.ts';
import { matMul } from './matmul.ts';
import { softmax } from './softmax.ts';

/** How the queries of packed samples are cut into tiles, and what they see. */
export type SegmentedAttentionAttributes = {
  /** Queries of a tile. */
  readonly tile: number;
  /** Query heads that share a key head. */
  readonly shared: number;
  /** A query sees itself and window - 1 tokens before it; 0: all before it. */
  readonly window: number;
};

/** The tiles of a node's queries. */
export function segmentTiles(
  keys: ValueType,
  { tile, window }: SegmentedAttentionAttributes,
): QueryTile[] {
  return queryTiles(keys.shape[2]!, tile, window === 0 ? undefined : window);
}

/**
 * Inputs: queries [B, G, T x shared, D] (already scaled; those of one token follow one another),
 * keys and values [B, G, T, D], segments int32 [B, T]. Outputs: the result, like the queries, and
 * each tile's probabilities [B, G, queries x shared, keys before the tile's end]. An engine may
 * keep only the last columns of those: nothing but the gradient reads them.
 */
export const segmentedAttentionOp = defineOp<SegmentedAttentionAttributes>({
  name: 'segmentedAttention',
  infer: (inputs, attributes) => {
    const [queries, keys] = checkTypes('segmentedAttention', inputs, attributes);
    const probabilities = segmentTiles(keys, attributes).map(({ from, to, first }) => ({
      dtype: queries.dtype,
      shape: [...keys.shape.slice(0, 2), (to - from) * attributes.shared, to - first],
    }));
    return [{ dtype: queries.dtype, shape: queries.shape }, ...probabilities];
  },
  results: 1,
  decompose: ([queries, keys, values, segments], { shared, ...attributes }) => {
    const window = attributes.window === 0 ? undefined : attributes.window;
    const tiles = segmentTiles(keys!, { shared, ...attributes }).map((tile) => {
      const { from, to, first } = tile;
      const scores = matMul(
        tokens(queries!, from * shared, to * shared),
        tokens(keys!, first, to),
        { transposeB: true },
      );
      const probabilities = softmax(
        addMask(scores, segmentMask(segments!, queries!, { ...tile, window }), shared),
      );
      return { probabilities, result: matMul(probabilities, tokens(values!, first, to)) };
    });
    return [
      concat(
        tiles.map(({ result }) => result),
        2,
      ),
      ...tiles.map(({ probabilities }) => probabilities),
    ];
  },
  gradient: (node, [gradient]) => {
    const [result, ...probabilities] = node.outputs as [Value, ...Value[]];
    return [
      ...applyOp(
        segmentedAttentionGradientOp,
        [...node.inputs, result, gradient!, ...probabilities],
        node.attributes,
      ),
      undefined,
    ];
  },
});

/**
 * Gradients of queries, keys and values. Inputs: those of the op, its result, the result's
 * gradient, the tiles' probabilities.
 */
const segmentedAttentionGradientOp = defineOp<SegmentedAttentionAttributes>({
  name: 'segmentedAttentionGradient',
  infer: (inputs, attributes) =>
    checkTypes('segmentedAttentionGradient', inputs, attributes).map(({ dtype, shape }) => ({
      dtype,
      shape,
    })),
  decompose: ([queries, keys, values, , result, gradient, ...probabilities], attributes) => {
    const { shared } = attributes;
    const along = sum(mul(gradient!, result!), { axes: [-1], keepDims: true });
    const parts = segmentTiles(keys!, attributes).map(({ from, to, first }, index) => {
      const [own, arriving, lengths] = [queries!, gradient!, along].map((x) =>
        tokens(x, from * shared, to * shared),
      ) as [Value, Value, Value];
      const ofScores = mul(
        probabilities[index]!,
        sub(matMul(arriving, tokens(values!, first, to), { transposeB: true }), lengths),
      );
      const whole = (x: Value): Value => pad(x, [0, 0, first, 0], [0, 0, keys!.shape[2]! - to, 0]);
      return [
        matMul(ofScores, tokens(keys!, first, to)),
        whole(matMul(ofScores, own, { transposeA: true })),
        whole(matMul(probabilities[index]!, arriving, { transposeA: true })),
      ] as const;
    });
    return [
      concat(
        parts.map(([ofQueries]) => ofQueries),
        2,
      ),
      parts.map(([, ofKeys]) => ofKeys).reduce(add),
      parts.map(([, , ofValues]) => ofValues).reduce(add),
    ];
  },
});

/** Rows [from, to) of x [B, G, rows, D]. */
function tokens(x: Value, from: number, to: number): Value {
  const [batch, groups, , width] = x.shape as [number, number, number, number];
  return slice(x, [0, 0, from, 0], [batch, groups, to, width]);
}

function checkTypes(
  name: string,
  inputs: readonly ValueType[],
  { shared }: SegmentedAttentionAttributes,
): readonly [ValueType, ValueType, ValueType] {
  const [queries, keys, values, segments] = inputs;
  const [batch, groups, length, width] = keys?.shape ?? [];
  const fits =
    queries &&
    keys &&
    values &&
    segments &&
    keys.shape.length === 4 &&
    sameShape(keys.shape, values.shape) &&
    sameShape(queries.shape, [batch!, groups!, length! * shared, width!]) &&
    allFloat(inputs.slice(0, 3)) &&
    segments.dtype === 'int32' &&
    sameShape(segments.shape, [batch!, length!]);
  if (!fits) {
    throw opTypesDoNotFit(
      name,
      inputs,
      'takes queries [B, G, T x shared, D], keys and values [B, G, T, D], all of one float dtype, ' +
        'and int32 segments [B, T]',
    );
  }
  return [queries, keys, values];
}

interface Operands {
  readonly rows: Value;
  readonly keys: Value;
  readonly values: Value;
  readonly segments: Value;
}

/** Applies the op; returns its result. */
export function segmentedAttention(
  { rows, keys, values, segments }: Operands,
  attributes: SegmentedAttentionAttributes,
): Value {
  return applyOp(segmentedAttentionOp, [rows, keys, values, segments], attributes)[0]!;
}
