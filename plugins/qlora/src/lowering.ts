// How ONNX Runtime computes the op: MatMulBnb4 for x W^T. Its CPU kernel (1.30) ignores transB = 0, so x W dequantizes through the same kernel
// first: a product with a small identity gives the weight's numbers, as a temporary that lives for one product.
import type { Lowering } from '@lmflow/plugin-engine-onnx';
import type { MatMulNf4Attributes } from './op.ts';
import { BLOCK } from './codes.ts';

type Emit = Parameters<Lowering>[0];

const TYPES = { fp4: 0, nf4: 1 } as const;
/** Side of the identity: small enough to cost little beside a product of hundreds of rows, large enough to be quick. */
const SIDE = 16;

export const lowerMatMulNf4: Lowering<MatMulNf4Attributes> = (emit, node) => {
  const { quantType, outFeatures, inFeatures, transposeB } = node.attributes;
  const [x, packed, scales] = emit.tensors(node.inputs) as [string, string, string];
  const product = (a: string, K: number, N: number): string =>
    emit.one('MatMulBnb4', [a, packed, scales], { domain: 'com.microsoft', attributes: { K, N, block_size: BLOCK, quant_type: TYPES[quantType], transB: 1 } });
  if (transposeB) return emit.set(node.outputs[0]!, product(x, inFeatures, outFeatures));

  const count = outFeatures * inFeatures;
  const side = count % SIDE === 0 ? SIDE : 1;
  // identity [side, side] times (the numbers as [count / side, side])^T: each row holds every side-th number.
  const columns = product(identity(emit, x, side), side, count / side);
  const rows = side === 1 ? columns : emit.one('Transpose', [columns], { attributes: { perm: [1, 0] } });
  emit.set(node.outputs[0]!, emit.one('Gemm', [x, emit.one('Reshape', [rows, emit.ints([outFeatures, inFeatures])])]));
};

/** Depends on x (by 0 x), or the runtime would compute the dequantized weight once, when it loads the program, and keep it in float32. */
function identity(emit: Emit, x: string, side: number): string {
  const ones = Float32Array.from({ length: side * side }, (_, place) => (place % (side + 1) === 0 ? 1 : 0));
  const nothing = emit.one('Mul', [emit.one('Slice', [x, emit.ints([0, 0]), emit.ints([1, 1])]), emit.scalar(0)]);
  return emit.one('Add', [nothing, emit.constant(ones, [side, side], 'float32')]);
}
