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
  // Kahan: what rounding takes from 1 + x it takes from the logarithm's argument too
  log1p: entry((emit, node) => {
    const [x] = emit.tensors(node.inputs) as [string];
    const u = emit.node('Add', [x, emit.scalar(1)]);
    const rounded = emit.node('Sub', [u, emit.scalar(1)]);
    const corrected = emit.node('Mul', [emit.node('Log', [u]), emit.node('Div', [x, rounded])]);
    emit.result(node, 'Where', [emit.node('Equal', [rounded, emit.scalar(0)]), x, corrected]);
  }),
  expm1: entry((emit, node) => {
    const [x] = emit.tensors(node.inputs) as [string];
    const u = emit.node('Exp', [x]);
    const rounded = emit.node('Sub', [u, emit.scalar(1)]);
    const corrected = emit.node('Mul', [rounded, emit.node('Div', [x, emit.node('Log', [u])])]);
    const near = emit.node('Where', [emit.node('Equal', [rounded, emit.scalar(0)]), x, corrected]);
    // far from 0, where the correction is infinity by infinity or 0 by infinity
    const far = emit.node('Greater', [emit.node('Abs', [x]), emit.scalar(1)]);
    emit.result(node, 'Where', [far, rounded, near]);
  }),
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
