// The product with a weight in blocks of 4 or 8 bits as an op: its types and its meaning (by
// dequantizing), which also gives its gradient. How an engine computes it: lowering.ts.
import {
  applyOne,
  cast,
  defineOp,
  gather,
  matMul,
  mul,
  opTypesDoNotFit,
  reshape,
  sameShape,
  slice,
  sub,
  type Value,
} from '@lmflow/sdk/graph';
import { blockSizes, type Bits } from './blocks.ts';

export type MatMulNBitsAttributes = {
  readonly bits: Bits;
  readonly blockSize: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** What an engine may round x to: `int8` in blocks of a row, or nothing. */
  readonly activations: 'int8' | 'float';
};

/** W [outFeatures, inFeatures] in blocks along its rows; see blocks.ts. */
export interface PackedWeight {
  /** uint8 [outFeatures, blocks, blob] */
  readonly packed: Value;
  /** float32 [outFeatures, blocks] */
  readonly scales: Value;
  /** uint8 [outFeatures, zeros]; undefined: the middle of the codes. */
  readonly zeroPoints?: Value | undefined;
  readonly bits: Bits;
  readonly blockSize: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/** Inputs: x [m, inFeatures], packed, scales, and zero points where there are some. */
export const matMulNBitsOp = defineOp<MatMulNBitsAttributes>({
  name: '@lmflow/plugin-quantize/matMulNBits',
  infer: (inputs, { bits, blockSize, inFeatures, outFeatures }) => {
    const [x, packed, scales, zeroPoints] = inputs;
    const { blocks, blob, zeros } = blockSizes(inFeatures, { bits, blockSize, symmetric: false });
    const fits =
      x?.dtype === 'float32' &&
      x.shape.length === 2 &&
      x.shape[1] === inFeatures &&
      packed?.dtype === 'uint8' &&
      sameShape(packed.shape, [outFeatures, blocks, blob]) &&
      scales?.dtype === 'float32' &&
      sameShape(scales.shape, [outFeatures, blocks]) &&
      (zeroPoints === undefined ||
        (zeroPoints.dtype === 'uint8' && sameShape(zeroPoints.shape, [outFeatures, zeros])));
    if (!fits) {
      throw opTypesDoNotFit(
        'matMulNBits',
        inputs,
        `takes float32 [m, ${inFeatures}], uint8 [${outFeatures}, ${blocks}, ${blob}], ` +
          `float32 [${outFeatures}, ${blocks}] and optionally uint8 [${outFeatures}, ${zeros}]`,
      );
    }
    return [{ dtype: 'float32', shape: [x.shape[0]!, outFeatures] }];
  },
  decompose: ([x, packed, scales, zeroPoints], { activations: _rounding, ...sizes }) => [
    matMul(x!, dequantized({ packed: packed!, scales: scales!, zeroPoints, ...sizes }), {
      transposeB: true,
    }),
  ],
});

/** x W^T. */
export function matMulNBits(
  x: Value,
  { packed, scales, zeroPoints, ...sizes }: PackedWeight,
  activations: MatMulNBitsAttributes['activations'],
): Value {
  return applyOne(matMulNBitsOp, [x, packed, scales, ...(zeroPoints ? [zeroPoints] : [])], {
    ...sizes,
    activations,
  });
}

/** W [outFeatures, inFeatures] in float32, built from ops that every engine has. */
export function dequantized({
  packed,
  scales,
  zeroPoints,
  bits,
  blockSize,
  inFeatures,
  outFeatures,
}: PackedWeight): Value {
  const { blocks } = blockSizes(inFeatures, { bits, blockSize, symmetric: false });
  const codes = reshape(codesOf(packed, bits), [outFeatures, blocks, blockSize]);
  const zeros = zeroPoints
    ? reshape(
        slice(
          reshape(codesOf(zeroPoints, bits), [outFeatures, zeroPoints.shape[1]! * (8 / bits)]),
          [0, 0],
          [outFeatures, blocks],
        ),
        [outFeatures, blocks, 1],
      )
    : 2 ** (bits - 1);
  const numbers = reshape(mul(sub(codes, zeros), reshape(scales, [outFeatures, blocks, 1])), [
    outFeatures,
    blocks * blockSize,
  ]);
  return blocks * blockSize === inFeatures
    ? numbers
    : slice(numbers, [0, 0], [outFeatures, inFeatures]);
}

/** The codes of bytes as float32, [...bytes, 8 / bits]. */
function codesOf(bytes: Value, bits: Bits): Value {
  if (bits === 8) return cast(bytes, 'float32');
  const table = bytes.graph.constant(
    Float32Array.from({ length: 512 }, (_, place) => (place & 1 ? place >> 5 : (place >> 1) & 15)),
    [256, 2],
    'float32',
  );
  return gather(table, cast(bytes, 'int32'));
}
