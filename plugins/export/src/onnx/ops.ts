// The ops that only an exported model has: attention whose keys and values of all tokens are
// outputs for the next step, and ops for dynamic sizes. Their ONNX nodes are in lowerings.ts.
import {
  add,
  allFloat,
  applyOne,
  applyOp,
  broadcastTo,
  concat,
  defineOp,
  matMul,
  mul,
  ndarray,
  opTypesDoNotFit,
  reshape,
  sameShape,
  slice,
  softmax,
  transpose,
  type Attributes,
  type Graph,
  type Value,
} from '@lmflow/sdk/graph';

/**
 * Inputs: q [B, S, H, D], k and v [B, S, G, D] of the new tokens, keys and values [B, G, P, D] of
 * the tokens before, and a bias of the scores [B, 1, S, P + S], which includes the causal mask.
 * Outputs: the result [B, S, H, D], and keys and values of all tokens [B, G, P + S, D].
 */
export const carriedAttentionOp = defineOp<Attributes>({
  name: '@lmflow/plugin-export/carriedAttention',
  infer: (inputs) => {
    const [q, k, v, keys, values, bias] = inputs;
    const [batch, length, heads, width] = q?.shape ?? [];
    const [groups, past] = [keys?.shape[1], keys?.shape[2]];
    const fits =
      q?.shape.length === 4 &&
      k &&
      v &&
      keys &&
      values &&
      bias &&
      Number.isInteger(heads! / groups!) &&
      sameShape(k.shape, [batch!, length!, groups!, width!]) &&
      sameShape(k.shape, v.shape) &&
      sameShape(keys.shape, [batch!, groups!, past!, width!]) &&
      sameShape(keys.shape, values.shape) &&
      sameShape(bias.shape, [batch!, 1, length!, past! + length!]) &&
      allFloat(inputs);
    if (!fits) {
      throw opTypesDoNotFit(
        'carriedAttention',
        inputs,
        'takes q [B, S, H, D], k and v [B, S, G, D], keys and values [B, G, P, D] and a bias [B, 1, S, P + S]',
      );
    }
    const all = { dtype: q.dtype, shape: [batch!, groups!, past! + length!, width!] };
    return [{ dtype: q.dtype, shape: q.shape }, all, all];
  },
  decompose: ([q, k, v, keys, values, bias]) => {
    const [batch, , heads, width] = q!.shape as [number, number, number, number];
    const groups = k!.shape[2]!;
    const shared = heads / groups;
    const [allKeys, allValues] = [
      [keys!, k!],
      [values!, v!],
    ].map(([before, now]) => concat([before!, transpose(now!, [0, 2, 1, 3])], 2)) as [Value, Value];
    const total = allKeys.shape[2]!;
    const repeated = (x: Value): Value =>
      reshape(
        broadcastTo(reshape(x, [batch, groups, 1, total, width]), [
          batch,
          groups,
          shared,
          total,
          width,
        ]),
        [batch, heads, total, width],
      );
    const scores = matMul(
      mul(transpose(q!, [0, 2, 1, 3]), 1 / Math.sqrt(width)),
      repeated(allKeys),
      { transposeB: true },
    );
    return [
      transpose(matMul(softmax(add(scores, bias!)), repeated(allValues)), [0, 2, 1, 3]),
      allKeys,
      allValues,
    ];
  },
});

/**
 * Attention of new tokens to themselves and the tokens before; returns the result, and keys and
 * values of all tokens.
 */
export function carriedAttention(inputs: {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly keys: Value;
  readonly values: Value;
  readonly bias: Value;
}): readonly Value[] {
  return applyOp(
    carriedAttentionOp,
    [inputs.q, inputs.k, inputs.v, inputs.keys, inputs.values, inputs.bias],
    {},
  );
}

/** As carriedAttention, of ops that every runtime has. */
export const spelledOutAttention: typeof carriedAttention = ({ q, k, v, keys, values, bias }) =>
  carriedAttentionOp.decompose!([q, k, v, keys, values, bias], {});

export type PlacesAttributes = { readonly from: number; readonly to: number };

export const placesOp = defineOp<PlacesAttributes>({
  name: '@lmflow/plugin-export/places',
  infer: (_inputs, { from, to }) => [{ dtype: 'int32', shape: [to - from] }],
  evaluate: (_inputs, { from, to }) => [
    ndarray(
      [to - from],
      Array.from({ length: to - from }, (_, index) => from + index),
    ),
  ],
});

/** int32: from, from + 1, ..., to - 1. */
export function places(graph: Graph, attributes: PlacesAttributes): Value {
  return graph.append(placesOp, [], attributes, placesOp.infer([], attributes)).outputs[0]!;
}

export type LastRowsAttributes = { readonly kept: number };

/**
 * Inputs: x [B, S, N] and int64 count []. The output has `kept` rows in its type; at run time it
 * has `count`, or all where the count is 0.
 */
export const lastRowsOp = defineOp<LastRowsAttributes>({
  name: '@lmflow/plugin-export/lastRows',
  infer: (inputs, { kept }) => {
    const [x, count] = inputs;
    if (x?.shape.length !== 3 || count?.dtype !== 'int64' || count.shape.length !== 0) {
      throw opTypesDoNotFit('lastRows', inputs, 'takes x [B, S, N] and an int64 count');
    }
    return [{ dtype: x.dtype, shape: [x.shape[0]!, kept, x.shape[2]!] }];
  },
  decompose: ([x], { kept }) => [slice(x!, [0, x!.shape[1]! - kept, 0], x!.shape)],
});

/** The last rows of each sequence. */
export function lastRows(x: Value, count: Value, kept: number): Value {
  return applyOne(lastRowsOp, [x, count], { kept });
}
