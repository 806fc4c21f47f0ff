// Causal self-attention with grouped-query heads, sliding window and packed samples, computed by
// tiles of query rows: keys after a tile's last row are never touched. Probabilities are kept for
// the backward pass.
import type { Value } from '../graph.ts';
import { applyOp, defineOp } from '../op.ts';
import { broadcastShapes, sameShape } from '../types.ts';
import { graphError, opTypesDoNotFit } from '../errors.ts';
import { allFloat } from './operands.ts';
import { mul, sub } from './binary.ts';
import { unbroadcast, sum } from './broadcast.ts';
import { concat, reshape, slice, transpose } from './shape.ts';
import { addMask, causalMask, queryTiles } from './masks.ts';
import { matMul } from './matmul.ts';
import { segmentedAttention } from './segments.ts';
import { softmax } from './softmax.ts';

/** `shared`: how many rows of q, one after another, share a row of the mask. */
export type AttendAttributes = { readonly shared: number };

/**
 * Inputs q [..., m, d] (already scaled), k [..., n, d], v [..., n, d] and optionally a mask added
 * to the scores, which broadcasts to [..., m / shared, n]; outputs the result [..., m, d] and the
 * probabilities.
 */
export const attendOp = defineOp<AttendAttributes>({
  name: 'attend',
  infer: (inputs, { shared }) => {
    const [q, k, v, mask] = inputs;
    const fits =
      q &&
      k &&
      v &&
      q.shape.length >= 2 &&
      sameShape(k.shape.slice(0, -2), q.shape.slice(0, -2)) &&
      sameShape(v.shape.slice(0, -1), k.shape.slice(0, -1)) &&
      q.shape.at(-1) === k.shape.at(-1) &&
      allFloat(inputs);
    const scores = fits ? [...q.shape.slice(0, -1), k.shape.at(-2)!] : [];
    const rows = [...scores.slice(0, -2), scores.at(-2)! / shared, scores.at(-1)!];
    const masked = mask ? broadcastShapes(mask.shape, rows) : rows;
    if (!fits || !masked || !sameShape(masked, rows)) {
      const rows = shared === 1 ? 'm' : `m / ${shared}`;
      throw opTypesDoNotFit(
        'attend',
        inputs,
        'takes q [..., m, d], k [..., n, d], v [..., n, e] and optionally a mask that broadcasts to ' +
          `[..., ${rows}, n], all of one float dtype`,
      );
    }
    return [
      { dtype: q.dtype, shape: [...q.shape.slice(0, -1), v.shape.at(-1)!] },
      { dtype: q.dtype, shape: scores },
    ];
  },
  results: 1,
  decompose: ([q, k, v, mask], { shared }) => {
    const scores = matMul(q!, k!, { transposeB: true });
    const probabilities = softmax(mask ? addMask(scores, mask, shared) : scores);
    return [matMul(probabilities, v!), probabilities];
  },
  // sum(dP * P) over the keys equals sum(dO * O) over the head's dimensions, which is shorter (Dao
  // et al. 2022).
  gradient: (node, [gradient], needed) => {
    const [q, k, v, mask] = node.inputs as [Value, Value, Value, Value?];
    const [result, probabilities] = node.outputs as [Value, Value];
    const ofScores = (): Value => {
      const along = sum(mul(gradient!, result), { axes: [-1], keepDims: true });
      return mul(probabilities, sub(matMul(gradient!, v, { transposeB: true }), along));
    };
    const scores = needed[0] || needed[1] || needed[3] ? ofScores() : undefined;
    return [
      scores && needed[0] ? matMul(scores, k) : undefined,
      scores && needed[1] ? matMul(scores, q, { transposeA: true }) : undefined,
      needed[2] ? matMul(probabilities, gradient!, { transposeA: true }) : undefined,
      scores && mask && needed[3] ? ofMask(scores, mask, node.attributes.shared) : undefined,
    ];
  },
});

function ofMask(scores: Value, mask: Value, shared: number): Value {
  const [rows, keys] = scores.shape.slice(-2) as [number, number];
  return unbroadcast(
    shared === 1
      ? scores
      : sum(reshape(scores, [...scores.shape.slice(0, -2), rows / shared, shared, keys]), {
          axes: [-2],
        }),
    mask.shape,
  );
}

/** Queries, keys and values of whole sequences, and what a query may see of them. */
export interface AttentionOptions {
  /** [B, T, H, D] */
  readonly q: Value;
  /** [B, T, Hkv, D]; H is a multiple of Hkv. */
  readonly k: Value;
  readonly v: Value;
  /** int32 [B, T]; tokens of different segments do not see each other. */
  readonly segments?: Value | undefined;
  /** A query sees itself and window - 1 tokens before it. */
  readonly window?: number | undefined;
  /** Default 1 / sqrt(D). */
  readonly scale?: number;
  /** Query rows of a tile; 128, or 256 with segments. */
  readonly tile?: number;
}

/** Causal attention; returns [B, T, H, D]. */
export function attention({
  q,
  k,
  v,
  segments,
  window,
  scale,
  tile = segments ? 256 : 128,
}: AttentionOptions): Value {
  checkTypes({ q, k, v, segments, window, tile });
  const [batch, length, heads, width] = q.shape as [number, number, number, number];
  const groups = k.shape[2]!;
  const shared = heads / groups;
  // Query heads that share a key head become rows of one product: [B, Hkv, T x G, D].
  const scaled = mul(q, scale ?? 1 / Math.sqrt(width));
  const rows = reshape(
    transpose(reshape(scaled, [batch, length, groups, shared, width]), [0, 2, 1, 3, 4]),
    [batch, groups, length * shared, width],
  );
  const [keys, values] = [k, v].map((x) => transpose(x, [0, 2, 1, 3])) as [Value, Value];
  const part = (x: Value, start: number, end: number): Value =>
    slice(x, [0, 0, start, 0], [batch, groups, end, width]);
  const result = segments
    ? segmentedAttention({ rows, keys, values, segments }, { tile, shared, window: window ?? 0 })
    : concat(
        queryTiles(length, tile, window).map((range) => {
          const { from, to, first } = range;
          return applyOp(
            attendOp,
            [
              part(rows, from * shared, to * shared),
              part(keys, first, to),
              part(values, first, to),
              causalMask(q, { ...range, window }),
            ],
            { shared },
          )[0]!;
        }),
        2,
      );
  return reshape(
    transpose(reshape(result, [batch, groups, length, shared, width]), [0, 2, 1, 3, 4]),
    [batch, length, heads, width],
  );
}

function checkTypes({
  q,
  k,
  v,
  segments,
  window,
  tile,
}: AttentionOptions & { readonly tile: number }): void {
  const [batch, length, heads, width] = q.shape;
  const fits =
    q.shape.length === 4 &&
    k.shape.length === 4 &&
    sameShape(k.shape, [batch!, length!, k.shape[2]!, width!]) &&
    sameShape(k.shape, v.shape) &&
    Number.isInteger(heads! / k.shape[2]!) &&
    allFloat([q, k, v]) &&
    (!segments || (segments.dtype === 'int32' && sameShape(segments.shape, [batch!, length!])));
  if (!fits) {
    throw opTypesDoNotFit(
      'attention',
      segments ? [q, k, v, segments] : [q, k, v],
      'takes q [B, T, H, D], k and v [B, T, Hkv, D] with H a multiple of Hkv, and optionally int32 segments [B, T]',
    );
  }
  if (!(tile >= 1) || (window !== undefined && !(window >= 1))) {
    throw graphError(
      'attention',
      `tile (${tile}) and window (${window ?? 'none'}) must be at least 1`,
    );
  }
}
