// What elementwise ops share: the types and numbers of operands that broadcast to one shape, and
// numbers in place of values. No op.
import type { Value } from '../graph.ts';
import { ndarray, broadcastStrides, forEachOffset, type NdArray } from '../ndarray.ts';
import {
  broadcastShapes,
  describe,
  isFloat,
  sameShape,
  type Shape,
  type ValueType,
} from '../types.ts';
import { graphError, opTypesDoNotFit } from '../errors.ts';
import { broadcastToOp } from './broadcast.ts';
import { cast } from './shape.ts';

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

/** Whether every input is a float of one dtype; for ops of plugins. */
export function allFloat(inputs: readonly ValueType[]): boolean {
  return inputs.every((input) => isFloat(input.dtype) && input.dtype === inputs[0]!.dtype);
}
