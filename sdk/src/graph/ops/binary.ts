// Elementwise ops of two operands with NumPy's broadcasting: add, sub, mul, div, maximum, minimum.
import type { Value } from '../graph.ts';
import { ndarray, broadcastStrides, forEachOffset, type NdArray } from '../ndarray.ts';
import { applyOne, defineOp, type OpDefinition } from '../op.ts';
import { broadcastShapes, isFloat, sameShape, type Attributes, type Shape, type ValueType } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';
import { greater, greaterOrEqual, where } from './logic.ts';
import { neg, reciprocal } from './unary.ts';

/** A value, or a number that becomes a float32 scalar. */
export type Operand = Value | number;

/** Shape and dtype of an elementwise result of two operands; shared with comparisons. */
export function inferBroadcast(op: string, inputs: readonly ValueType[]): ValueType {
  const [a, b] = inputs;
  const shape = a && b && broadcastShapes(a.shape, b.shape);
  if (!shape || a.dtype !== b.dtype) throw opTypesDoNotFit(op, inputs, 'takes two operands of one dtype whose shapes broadcast');
  return { dtype: a.dtype, shape };
}

/** Applies `compute` to the pairs of two broadcast arrays. */
export function zip(inputs: readonly NdArray[], shape: Shape, compute: (a: number, b: number) => number): NdArray {
  const [a, b] = inputs as [NdArray, NdArray];
  const result = ndarray(shape);
  forEachOffset(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)], (index, [i, j]) => {
    result.data[index] = compute(a.data[i!]!, b.data[j!]!);
  });
  return result;
}

/** Sums a gradient over the axes its value was broadcast along. */
export function unbroadcast(gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = gradient.shape.length - shape.length;
  const axes = gradient.shape.map((_, axis) => axis).filter((axis) => axis < extra || (shape[axis - extra] === 1 && gradient.shape[axis] !== 1));
  const summed = axes.length > 0 ? sum(gradient, { axes, keepDims: true }) : gradient;
  return sameShape(summed.shape, shape) ? summed : reshape(summed, shape);
}

type Rule = (a: Value, b: Value, gradient: Value, needed: readonly boolean[], result: Value) => readonly [Value | undefined, Value | undefined];

function binaryOp(name: string, compute: (a: number, b: number) => number, rule: Rule): OpDefinition {
  return defineOp<Attributes>({
    name,
    infer: (inputs) => [inferBroadcast(name, inputs)],
    evaluate: (inputs, _attributes, types) => [zip(inputs, types[0]!.shape, compute)],
    gradient: (node, [gradient], needed) => {
      const [a, b] = node.inputs as [Value, Value];
      return rule(a, b, gradient!, needed, node.outputs[0]!)
        .map((part, index) => part && needed[index] ? unbroadcast(part, node.inputs[index]!.shape) : undefined);
    },
  });
}

const pick = (condition: Value, gradient: Value): [Value, Value] => {
  const zero = gradient.graph.scalar(0);
  return [where(condition, gradient, zero), where(condition, zero, gradient)];
};

export const addOp = binaryOp('add', (a, b) => a + b, (_a, _b, gradient) => [gradient, gradient]);
export const subOp = binaryOp('sub', (a, b) => a - b, (_a, _b, gradient, needed) => [gradient, needed[1] ? neg(gradient) : undefined]);
export const mulOp = binaryOp('mul', (a, b) => a * b, (a, b, gradient, needed) => [needed[0] ? mul(gradient, b) : undefined, needed[1] ? mul(gradient, a) : undefined]);
export const divOp = binaryOp('div', (a, b) => a / b, (_a, b, gradient, needed, result) => {
  const scaled = mul(gradient, reciprocal(b));
  return [scaled, needed[1] ? neg(mul(scaled, result)) : undefined];
});
export const maximumOp = binaryOp('maximum', Math.max, (a, b, gradient) => pick(greaterOrEqual(a, b), gradient));
export const minimumOp = binaryOp('minimum', Math.min, (a, b, gradient) => { const [right, left] = pick(greater(a, b), gradient); return [left, right]; });

/** A number becomes a float32 scalar of the other operand's graph; two numbers are an error of the types. */
export function operands(a: Operand, b: Operand): [Value, Value] {
  const { graph } = (typeof a === 'number' ? b : a) as Value;
  const asValue = (operand: Operand): Value => (typeof operand === 'number' ? graph.scalar(operand) : operand);
  return [asValue(a), asValue(b)];
}

/** a + b, elementwise with broadcasting. */
export function add(a: Operand, b: Operand): Value { return applyOne(addOp, operands(a, b), {}); }
/** a - b, elementwise with broadcasting. */
export function sub(a: Operand, b: Operand): Value { return applyOne(subOp, operands(a, b), {}); }
/** a * b, elementwise with broadcasting. */
export function mul(a: Operand, b: Operand): Value { return applyOne(mulOp, operands(a, b), {}); }
/** a / b, elementwise with broadcasting. */
export function div(a: Operand, b: Operand): Value { return applyOne(divOp, operands(a, b), {}); }
/** The larger of a and b; the gradient goes to a where they are equal. */
export function maximum(a: Operand, b: Operand): Value { return applyOne(maximumOp, operands(a, b), {}); }
/** The smaller of a and b; the gradient goes to a where they are equal. */
export function minimum(a: Operand, b: Operand): Value { return applyOne(minimumOp, operands(a, b), {}); }

/** Whether every input is a float of one dtype; for ops of plugins. */
export function allFloat(inputs: readonly ValueType[]): boolean {
  return inputs.every((input) => isFloat(input.dtype) && input.dtype === inputs[0]!.dtype);
}
