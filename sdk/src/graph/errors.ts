// The errors of the tensor programs, one builder each.
import { type LMFlowError, failureError } from '../errors.ts';
import { describe, type ValueType } from './types.ts';

/** The program is not well-formed: wrong shapes, dtypes or names, seen while it is built. */
export function graphError(where: string, what: string): LMFlowError {
  return failureError('LMFLOW_GRAPH_INVALID', `${where}: ${what}`);
}

/** The inputs of an op have types that do not fit it. */
export function opTypesDoNotFit(
  op: string,
  inputs: readonly ValueType[],
  rule: string,
): LMFlowError {
  return graphError(op, `${rule}, but the inputs are ${inputs.map(describe).join(', ') || 'none'}`);
}

/** An op on the path from the loss to a parameter has no gradient. */
export function opHasNoGradient(op: string, node: string): LMFlowError {
  return failureError('LMFLOW_GRADIENT_MISSING', `${node}: the op "${op}" has no gradient`, {
    hint: 'Give it one in defineOp({ gradient }), or keep it off the path from the loss to a parameter.',
  });
}

/** An op can neither be evaluated nor decomposed. */
export function opNotSupported(op: string, node: string, by: string): LMFlowError {
  return failureError('LMFLOW_OP_UNSUPPORTED', `${node}: ${by} cannot run the op "${op}"`, {
    hint: 'Give it a decompose() in defineOp, or register a lowering for it.',
  });
}

/** The gradient that an op gives for an input does not have the input's type. */
export function gradientDoesNotFit(
  op: string,
  node: string,
  input: number,
  expected: ValueType,
  actual: ValueType,
): LMFlowError {
  return graphError(
    node,
    `the gradient of the op "${op}" is ${describe(actual)} for input ${input}, which is ${describe(expected)}`,
  );
}
