// The product with a 4-bit weight as an op: its types, its meaning (by dequantizing) and its gradient. How an engine computes it: lowering.ts.
import { applyOne, cast, defineOp, gather, matMul, mul, opTypesDoNotFit, pad, reshape, sameShape, sizeOf, slice, sum, type Value } from '@lmflow/sdk/graph';
import { BLOCK, byteTable, sizesOf, type QuantType } from './codes.ts';

export type MatMulNf4Attributes = {
  readonly quantType: QuantType;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** true: x W^T, from [m, inFeatures] to [m, outFeatures]. false: x W, the other way (the input gradient). */
  readonly transposeB: boolean;
};

/** The blocks of W [outFeatures, inFeatures], row-major. */
export interface PackedWeight {
  /** uint8 [ceil(n / 2)] */
  readonly packed: Value;
  /** float32 [ceil(n / 64)] */
  readonly scales: Value;
  readonly quantType: QuantType;
  readonly outFeatures: number;
  readonly inFeatures: number;
}

export const matMulNf4Op = defineOp<MatMulNf4Attributes>({
  name: '@lmflow/plugin-qlora/matMulNf4',
  infer: (inputs, { outFeatures, inFeatures, transposeB }) => {
    const [x, packed, scales] = inputs;
    const { bytes, blocks } = sizesOf(outFeatures * inFeatures);
    const width = transposeB ? inFeatures : outFeatures;
    const fits = x?.dtype === 'float32' && x.shape.length === 2 && x.shape[1] === width && packed?.dtype === 'uint8' && sameShape(packed.shape, [bytes])
      && scales?.dtype === 'float32' && sameShape(scales.shape, [blocks]);
    if (!fits) throw opTypesDoNotFit('matMulNf4', inputs, `takes float32 [m, ${width}], uint8 [${bytes}] and float32 scales [${blocks}]`);
    return [{ dtype: 'float32', shape: [x.shape[0]!, transposeB ? outFeatures : inFeatures] }];
  },
  decompose: ([x, packed, scales], { transposeB, ...weight }) =>
    [matMul(x!, dequantized({ packed: packed!, scales: scales!, ...weight }), { transposeB })],
  gradient: (node, [gradient], needed) => {
    const [x, packed, scales] = node.inputs as [Value, Value, Value];
    const { transposeB, ...weight } = node.attributes;
    const all = { packed, scales, ...weight };
    return [
      needed[0] ? matMulNf4(gradient!, all, !transposeB) : undefined,
      undefined,
      needed[2] ? scaleGradient(transposeB ? matMul(gradient!, x, { transposeA: true }) : matMul(x, gradient!, { transposeA: true }), all) : undefined,
    ];
  },
});

/** x W^T (or x W) for W in 4 bits. */
export function matMulNf4(x: Value, { packed, scales, quantType, outFeatures, inFeatures }: PackedWeight, transposeB: boolean): Value {
  return applyOne(matMulNf4Op, [x, packed, scales], { quantType, outFeatures, inFeatures, transposeB });
}

/** W [outFeatures, inFeatures] in float32, built from ops that every engine has. */
export function dequantized(weight: PackedWeight): Value {
  const { scales, outFeatures, inFeatures } = weight;
  const blocks = mul(codesOf(weight), reshape(scales, [scales.shape[0]!, 1]));
  return reshape(firstOf(reshape(blocks, [sizeOf(blocks.shape)]), outFeatures * inFeatures), [outFeatures, inFeatures]);
}

/** Numbers of the codes without their scales, [blocks, 64]. */
function codesOf({ packed, scales, quantType }: PackedWeight): Value {
  const table = packed.graph.constant(byteTable(quantType), [256, 2], 'float32');
  const pairs = gather(table, cast(packed, 'int32'));
  return inBlocks(reshape(pairs, [sizeOf(pairs.shape)]), scales.shape[0]!);
}

function scaleGradient(gradient: Value, weight: PackedWeight): Value {
  const flat = reshape(gradient, [sizeOf(gradient.shape)]);
  return sum(mul(inBlocks(flat, weight.scales.shape[0]!), codesOf(weight)), { axes: [1] });
}

function inBlocks(flat: Value, blocks: number): Value {
  const missing = blocks * BLOCK - flat.shape[0]!;
  return reshape(missing === 0 ? flat : pad(flat, [0], [missing]), [blocks, BLOCK]);
}

function firstOf(flat: Value, count: number): Value {
  return flat.shape[0] === count ? flat : slice(flat, [0], [count]);
}
