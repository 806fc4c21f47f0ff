// How ONNX Runtime computes the op: MatMulNBits, whose kernels want the weight in a layout of their
// own (without it a product takes 200 times as long).
import type { Lowering } from '@lmflow/plugin-engine-onnx';
import type { MatMulNBitsAttributes } from './op.ts';

/**
 * Rows from which 4-bit codes are better widened to float32 once a product than multiplied as
 * integers, which is also more exact.
 */
const MANY_ROWS = 32;
const ACCURACY = { float: 1, int8: 4 } as const;

export const lowerMatMulNBits: Lowering<MatMulNBitsAttributes> = (emit, node) => {
  const { bits, blockSize, inFeatures, outFeatures, activations } = node.attributes;
  const widened = bits === 4 && node.inputs[0]!.shape[0]! > MANY_ROWS;
  emit.needPrepacking();
  emit.result(node, 'MatMulNBits', emit.tensors(node.inputs), {
    domain: 'com.microsoft',
    attributes: {
      bits,
      block_size: blockSize,
      K: inFeatures,
      N: outFeatures,
      accuracy_level: ACCURACY[widened ? 'float' : activations],
    },
  });
};
