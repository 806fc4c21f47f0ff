// How ONNX Runtime computes the ops, both by its MatMulBnb4. Its CPU kernel (1.30) ignores transB =
// 0, so there is no x W: 1 times the weight's numbers, taken as a column, gives them in float32.
import type { Lowering } from '@lmflow/plugin-engine-onnx';
import type { Nf4Attributes } from './op.ts';
import { BLOCK } from './codes.ts';

const TYPES = { fp4: 0, nf4: 1 } as const;

export const lowerMatMulNf4: Lowering<Nf4Attributes> = (emit, node) => {
  emit.set(node.outputs[0]!, product(emit, emit.tensors(node.inputs), node.attributes));
};

export const lowerDequantizeNf4: Lowering<Nf4Attributes> = (emit, node) => {
  const { quantType, outFeatures, inFeatures } = node.attributes;
  const scalarOne = emit.constant(Float32Array.of(1), [1, 1], 'float32');
  const numbers = product(emit, [scalarOne, ...emit.tensors(node.inputs)], {
    quantType,
    outFeatures: outFeatures * inFeatures,
    inFeatures: 1,
  });
  emit.set(node.outputs[0]!, emit.node('Reshape', [numbers, emit.ints([outFeatures, inFeatures])]));
};

function product(
  emit: Parameters<Lowering>[0],
  inputs: readonly string[],
  { quantType, outFeatures, inFeatures }: Nf4Attributes,
): string {
  return emit.node('MatMulBnb4', inputs, {
    domain: 'com.microsoft',
    attributes: {
      K: inFeatures,
      N: outFeatures,
      block_size: BLOCK,
      quant_type: TYPES[quantType],
      transB: 1,
    },
  });
}
