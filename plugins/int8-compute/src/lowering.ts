// How ONNX Runtime computes the op: DynamicQuantizeMatMul, which rounds x to 8 bits with one scale
// for all rows. Each row is divided by its largest magnitude first and multiplied by it afterwards,
// so that in effect every row has its scale.
import type { Lowering } from '@lmflow/plugin-engine-onnx';
import type { MatMulInt8Attributes } from './op.ts';

/** Keeps a row of zeros from dividing by zero. */
const TINY = 1e-30;

export const lowerMatMulInt8: Lowering<MatMulInt8Attributes> = (emit, node) => {
  const [x, codes, scales] = emit.tensors(node.inputs) as [string, string, string];
  const largest = emit.node('Max', [
    emit.node('ReduceMax', [emit.node('Abs', [x]), emit.ints([1])]),
    emit.scalar(TINY),
  ]);
  const rows = emit.node('Div', [x, largest]);
  const product = emit.node('DynamicQuantizeMatMul', [rows, codes, scales], {
    domain: 'com.microsoft',
  });
  emit.result(node, 'Mul', [product, largest]);
};
