// The product with a 4-bit weight as an op: its types, its meaning (by dequantizing) and its
// gradient. How an engine computes it: lowering.ts.
import {
  after,
  applyOne,
  cast,
  defineOp,
  gather,
  matMul,
  mul,
  opTypesDoNotFit,
  pad,
  reshape,
  sameShape,
  sizeOf,
  slice,
  sum,
  type Value,
  type ValueType,
} from '@lmflow/sdk/graph';
import { BLOCK, byteTable, sizesOf, type QuantType } from './codes.ts';

export type Nf4Attributes = {
  readonly quantType: QuantType;
  readonly outFeatures: number;
  readonly inFeatures: number;
};

/** The blocks of W [outFeatures, inFeatures], row-major. */
export interface PackedWeight extends Nf4Attributes {
  /** uint8 [ceil(n / 2)] */
  readonly packed: Value;
  /** float32 [ceil(n / 64)] */
  readonly scales: Value;
}

/** x W^T: [m, inFeatures] to [m, outFeatures]. */
export const matMulNf4Op = defineOp<Nf4Attributes>({
  name: '@lmflow/plugin-qlora/matMulNf4',
  infer: (inputs, attributes) => {
    const [x, ...weight] = inputs;
    const { inFeatures, outFeatures } = attributes;
    if (
      x?.dtype !== 'float32' ||
      x.shape.length !== 2 ||
      x.shape[1] !== inFeatures ||
      !isPacked(weight, attributes)
    ) {
      throw opTypesDoNotFit(
        'matMulNf4',
        inputs,
        `takes float32 [m, ${inFeatures}] and ${packedTypes(attributes)}`,
      );
    }
    return [{ dtype: 'float32', shape: [x.shape[0]!, outFeatures] }];
  },
  decompose: ([x, packed, scales], attributes) => [
    matMul(x!, dequantized({ packed: packed!, scales: scales!, ...attributes }), {
      transposeB: true,
    }),
  ],
  gradient: (node, [gradient], needed) => {
    const [x, packed, scales] = node.inputs as [Value, Value, Value];
    // Dequantizing waits for the gradient, so that the float numbers live for one product only.
    // Otherwise the engine makes them when the program starts, and keeps them.
    const weight = { packed: after(packed, [gradient!]), scales, ...node.attributes };
    return [
      needed[0] ? matMul(gradient!, dequantizeNf4(weight)) : undefined,
      undefined,
      needed[2] ? scaleGradient(matMul(gradient!, x, { transposeA: true }), weight) : undefined,
    ];
  },
});

/** W [outFeatures, inFeatures] in float32. */
export const dequantizeNf4Op = defineOp<Nf4Attributes>({
  name: '@lmflow/plugin-qlora/dequantizeNf4',
  infer: (inputs, attributes) => {
    if (!isPacked(inputs, attributes)) {
      throw opTypesDoNotFit('dequantizeNf4', inputs, `takes ${packedTypes(attributes)}`);
    }
    return [{ dtype: 'float32', shape: [attributes.outFeatures, attributes.inFeatures] }];
  },
  decompose: ([packed, scales], attributes) => [
    dequantized({ packed: packed!, scales: scales!, ...attributes }),
  ],
  gradient: (node, [gradient], needed) => {
    const [packed, scales] = node.inputs as [Value, Value];
    return [
      undefined,
      needed[1] ? scaleGradient(gradient!, { packed, scales, ...node.attributes }) : undefined,
    ];
  },
});

/** x W^T for W in 4 bits. */
export function matMulNf4(x: Value, { packed, scales, ...attributes }: PackedWeight): Value {
  return applyOne(matMulNf4Op, [x, packed, scales], attributes);
}

/** W in float32. */
export function dequantizeNf4({ packed, scales, ...attributes }: PackedWeight): Value {
  return applyOne(dequantizeNf4Op, [packed, scales], attributes);
}

function isPacked(
  [packed, scales]: readonly ValueType[],
  { outFeatures, inFeatures }: Nf4Attributes,
): boolean {
  const { bytes, blocks } = sizesOf(outFeatures * inFeatures);
  return (
    packed?.dtype === 'uint8' &&
    sameShape(packed.shape, [bytes]) &&
    scales?.dtype === 'float32' &&
    sameShape(scales.shape, [blocks])
  );
}

function packedTypes({ outFeatures, inFeatures }: Nf4Attributes): string {
  const { bytes, blocks } = sizesOf(outFeatures * inFeatures);
  return `uint8 [${bytes}] and float32 scales [${blocks}]`;
}

/** W [outFeatures, inFeatures] in float32, built from ops that every engine has. */
function dequantized(weight: PackedWeight): Value {
  const { scales, outFeatures, inFeatures } = weight;
  const blocks = mul(codesOf(weight), reshape(scales, [scales.shape[0]!, 1]));
  return reshape(firstOf(reshape(blocks, [sizeOf(blocks.shape)]), outFeatures * inFeatures), [
    outFeatures,
    inFeatures,
  ]);
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
