// Elementwise ops of two operands with NumPy's broadcasting: add, sub, mul, div, maximum, minimum.
import type { Value } from '../graph.ts';
import { ndarray, broadcastStrides, forEachOffset, type NdArray } from '../ndarray.ts';
import { applyOne, defineOp, type OpDefinition } from '../op.ts';
import {
  broadcastShapes,
  describe,
  isFloat,
  sameShape,
  type Attributes,
  type Shape,
  type ValueType,
} from '../types.ts';
import { graphError, opTypesDoNotFit } from '../errors.ts';
import { sum } from './reduce.ts';
import { broadcastToOp, cast, reshape } from './shape.ts';
import { greaterOrEqual, lessOrEqual, where } from './logic.ts';
import { neg, reciprocal } from './unary.ts';

/** A value, or a number that becomes a float32 scalar. */
export type Operand = Value | number;

/** Shape and dtype of an elementwise result of two operands; shared with comparisons. */
export function inferBroadcast(op: string, inputs: readonly ValueType[]): ValueType {
  const [a, b] = inputs;
  const shape = a && b && broadcastShapes(a.shape, b.shape);
  if (!shape || a.dtype !== b.dtype) {
    throw opTypesDoNotFit(op, inputs, 'takes two operands of one dtype whose shapes broadcast');
  }
  return { dtype: a.dtype, shape };
}

/** Applies `compute` to the pairs of two broadcast arrays. */
export function zip(
  inputs: readonly NdArray[],
  shape: Shape,
  compute: (a: number, b: number) => number,
): NdArray {
  const [a, b] = inputs as [NdArray, NdArray];
  const result = ndarray(shape);
  forEachOffset(
    shape,
    [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)],
    (index, [i, j]) => {
      result.data[index] = compute(a.data[i!]!, b.data[j!]!);
    },
  );
  return result;
}

/** Sums a gradient over the axes its value was broadcast along. */
export function unbroadcast(gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = gradient.shape.length - shape.length;
  const axes = gradient.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < extra || (shape[axis - extra] === 1 && gradient.shape[axis] !== 1));
  const summed = axes.length > 0 ? sum(gradient, { axes, keepDims: true }) : gradient;
  return sameShape(summed.shape, shape) ? summed : reshape(summed, shape);
}

type Rule = (
  a: Value,
  b: Value,
  gradient: Value,
  needed: readonly boolean[],
  result: Value,
) => readonly [Value | undefined, Value | undefined];

function binaryOp(
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
/** The op of `maximum`. Where both operands are equal the gradient goes to the first. */
export const maximumOp = binaryOp('maximum', Math.max, (a, b, gradient, needed) =>
  chosen(greaterOrEqual(a, b), gradient, needed),
);
/** The op of `minimum`. Where both operands are equal the gradient goes to the first. */
export const minimumOp = binaryOp('minimum', Math.min, (a, b, gradient, needed) =>
  chosen(lessOrEqual(a, b), gradient, needed),
);

/** The gradient goes to the first operand where `first` holds, else to the second. */
function chosen(
  first: Value,
  gradient: Value,
  needed: readonly boolean[],
): [Value | undefined, Value | undefined] {
  return [
    needed[0] ? where(first, gradient, 0) : undefined,
    needed[1] ? where(first, 0, gradient) : undefined,
  ];
}

/**
 * A number becomes a scalar of the other operand's graph and dtype. A value that was only broadcast
 * to the other operand's shape is replaced by the value before the broadcast.
 */
export function operands(a: Operand, b: Operand): [Value, Value] {
  const left = typeof a === 'number' ? constantLike(b, a) : a;
  const right = typeof b === 'number' ? constantLike(a, b) : b;
  const narrow = unexpanded(left, right);
  return [narrow, unexpanded(right, narrow)];
}

function constantLike(other: Operand, number: number): Value {
  if (typeof other === 'number') {
    throw graphError('constant', 'one of two operands must be a value of a graph');
  }
  const { graph, dtype } = other;
  if (isFloat(dtype)) return cast(graph.scalar(number), dtype);
  if (!Number.isInteger(number)) {
    throw graphError(
      'constant',
      `${number} is not a whole number, but the other operand is ${describe(other)}`,
    );
  }
  return cast(graph.constant(Int32Array.of(number), [], 'int32'), dtype);
}

function unexpanded(x: Value, other: Value): Value {
  const origin =
    x.source.kind === 'node' && x.source.node.op === broadcastToOp
      ? x.source.node.inputs[0]!
      : undefined;
  const shape = origin && broadcastShapes(origin.shape, other.shape);
  const whole = shape && broadcastShapes(x.shape, other.shape);
  return whole && sameShape(shape, whole) ? origin : x;
}

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
/** The larger of a and b; the gradient goes to a where they are equal. */
export function maximum(a: Operand, b: Operand): Value {
  return applyOne(maximumOp, operands(a, b), {});
}
/** The smaller of a and b; the gradient goes to a where they are equal. */
export function minimum(a: Operand, b: Operand): Value {
  return applyOne(minimumOp, operands(a, b), {});
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

/** Whether every input is a float of one dtype; for ops of plugins. */
export function allFloat(inputs: readonly ValueType[]): boolean {
  return inputs.every((input) => isFloat(input.dtype) && input.dtype === inputs[0]!.dtype);
}
