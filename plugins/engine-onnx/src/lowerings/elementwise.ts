// Lowers ops that are one ONNX operator, elementwise or nearly. Ops that move numbers are in
// shape.ts.
import { isFloat } from '@lmflow/sdk/graph';
import type { NodeOptions } from '../onnx/emitter.ts';
import { entry, type LoweringEntry } from './lowering.ts';

const direct: Readonly<Record<string, string>> = {
  add: 'Add',
  sub: 'Sub',
  mul: 'Mul',
  div: 'Div',
  maximum: 'Max',
  minimum: 'Min',
  neg: 'Neg',
  exp: 'Exp',
  log: 'Log',
  sqrt: 'Sqrt',
  reciprocal: 'Reciprocal',
  tanh: 'Tanh',
  sigmoid: 'Sigmoid',
  sin: 'Sin',
  cos: 'Cos',
  abs: 'Abs',
  erf: 'Erf',
  sign: 'Sign',
  equal: 'Equal',
  less: 'Less',
  lessOrEqual: 'LessOrEqual',
  greater: 'Greater',
  greaterOrEqual: 'GreaterOrEqual',
  logicalAnd: 'And',
  logicalOr: 'Or',
  logicalNot: 'Not',
  where: 'Where',
};

function simple(opType: string, options?: NodeOptions): LoweringEntry {
  return entry((emit, node) => emit.result(node, opType, emit.tensors(node.inputs), options));
}

const silu: NodeOptions = { domain: 'com.microsoft', attributes: { alpha: { float: 1 } } };

/** Lowerings of ops that compute each number from the numbers at the same index. */
export const elementwise: Readonly<Record<string, LoweringEntry>> = {
  ...Object.fromEntries(Object.entries(direct).map(([op, opType]) => [op, simple(opType)])),
  silu: simple('QuickGelu', silu),
  swiglu: entry((emit, node) => {
    const [gate, up] = emit.tensors(node.inputs) as [string, string];
    emit.result(node, 'Mul', [emit.node('QuickGelu', [gate], silu), up]);
  }),
  gelu: entry<{ readonly approximation: 'erf' | 'tanh' }>(
    (emit, node) => {
      emit.result(node, 'Gelu', emit.tensors(node.inputs), {
        attributes: { approximate: node.attributes.approximation === 'tanh' ? 'tanh' : 'none' },
      });
    },
    (node) => isFloat(node.inputs[0]!.dtype),
  ),
  softmax: simple('Softmax', { attributes: { axis: -1 } }),
};
