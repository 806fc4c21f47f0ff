// Arithmetic of two operands with NumPy's broadcasting, add, sub, mul and div, with neg and
// reciprocal, which their gradients need.
import type { OpDefinition, Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import { isFloat, type Attributes } from '../types.ts';
import { unbroadcast } from './broadcast.ts';
import { inferBroadcast, operands, zip, type Operand } from './operands.ts';
import { unaryOp } from './unary-op.ts';

type Rule = (
  a: Value,
  b: Value,
  gradient: Value,
  needed: readonly boolean[],
  result: Value,
) => readonly [Value | undefined, Value | undefined];

/** An elementwise op of two operands; `rule` gives their gradients, still broadcast. */
export function binaryOp(
  name: string,
  compute: (a: number, b: number) => number,
  rule: Rule,
): OpDefinition {
  return defineOp<Attributes>({
    name,
    infer: (inputs) => [inferBroadcast(name, inputs)],
    evaluate: (inputs, _attributes, types) => [zip(inputs, types[0]!.shape, compute)],
    gradient: (node, [gradient], needed) => {
      const [a, b] = node.inputs as [Value, Value];
      return rule(a, b, gradient!, needed, node.outputs[0]!).map((part, index) =>
        part && needed[index] ? unbroadcast(part, node.inputs[index]!.shape) : undefined,
      );
    },
  });
}

/** The op of `neg`: -x. */
export const negOp = unaryOp(
  'neg',
  (x) => -x,
  (_x, _y, gradient) => neg(gradient),
);
/** The op of `reciprocal`: 1 / x. */
export const reciprocalOp = unaryOp(
  'reciprocal',
  (x) => 1 / x,
  (_x, y, gradient) => neg(mul(gradient, mul(y, y))),
);
/** The op of `add`: a + b. */
export const addOp = binaryOp(
  'add',
  (a, b) => a + b,
  (_a, _b, gradient) => [gradient, gradient],
);
/** The op of `sub`: a - b. */
export const subOp = binaryOp(
  'sub',
  (a, b) => a - b,
  (_a, _b, gradient, needed) => [gradient, needed[1] ? neg(gradient) : undefined],
);
/** The op of `mul`: a * b. */
export const mulOp = binaryOp(
  'mul',
  (a, b) => a * b,
  (a, b, gradient, needed) => [
    needed[0] ? mul(gradient, b) : undefined,
    needed[1] ? mul(gradient, a) : undefined,
  ],
);
/** The op of `div`: a / b. */
export const divOp = binaryOp(
  'div',
  (a, b) => a / b,
  (_a, b, gradient, needed, result) => {
    const scaled = mul(gradient, reciprocal(b));
    return [scaled, needed[1] ? neg(mul(scaled, result)) : undefined];
  },
);
/** a + b, elementwise with broadcasting. */
export function add(a: Operand, b: Operand): Value {
  return applyOne(addOp, operands(a, b), {});
}
/** a - b, elementwise with broadcasting. */
export function sub(a: Operand, b: Operand): Value {
  return applyOne(subOp, operands(a, b), {});
}
/** a * b, elementwise with broadcasting. */
export function mul(a: Operand, b: Operand): Value {
  const [left, right] = operands(a, b);
  if (isOne(left, right)) return right;
  return isOne(right, left) ? left : applyOne(mulOp, [left, right], {});
}
/** a / b, elementwise with broadcasting. */
export function div(a: Operand, b: Operand): Value {
  return applyOne(divOp, operands(a, b), {});
}
/**
 * Whether x is the scalar constant 1 beside an operand of its dtype: what the gradient of a loss
 * starts from.
 */
function isOne({ source, shape, dtype }: Value, other: Value): boolean {
  return (
    source.kind === 'constant' &&
    shape.length === 0 &&
    source.data[0] === 1 &&
    isFloat(dtype) &&
    dtype === other.dtype
  );
}

/** -x, elementwise. */
export function neg(x: Value): Value {
  return applyOne(negOp, [x], {});
}
/** 1 / x, elementwise. */
export function reciprocal(x: Value): Value {
  return applyOne(reciprocalOp, [x], {});
}
