// Comparisons, boolean ops, and `where`, which chooses between two values by a condition.
import type { OpDefinition, Value } from '../graph.ts';
import { ndarray, broadcastStrides, forEachOffset, type NdArray } from '../ndarray.ts';
import { applyOne, defineOp } from '../op.ts';
import { broadcastShapes, type Attributes } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { inferBroadcast, operands, zip, type Operand } from './operands.ts';
import { unbroadcast } from './broadcast.ts';

function comparison(name: string, test: (a: number, b: number) => boolean): OpDefinition {
  return defineOp<Attributes>({
    name,
    infer: (inputs) => [{ dtype: 'bool', shape: inferBroadcast(name, inputs).shape }],
    evaluate: (inputs, _attributes, types) => [
      zip(inputs, types[0]!.shape, (a, b) => Number(test(a, b))),
    ],
    gradient: () => [undefined, undefined],
  });
}

/** The op of `equal`: bool, without a gradient. */
export const equalOp = comparison('equal', (a, b) => a === b);
/** The op of `less`: bool, without a gradient. */
export const lessOp = comparison('less', (a, b) => a < b);
/** The op of `lessOrEqual`: bool, without a gradient. */
export const lessOrEqualOp = comparison('lessOrEqual', (a, b) => a <= b);
/** The op of `greater`: bool, without a gradient. */
export const greaterOp = comparison('greater', (a, b) => a > b);
/** The op of `greaterOrEqual`: bool, without a gradient. */
export const greaterOrEqualOp = comparison('greaterOrEqual', (a, b) => a >= b);
/** The op of `logicalAnd`: bool operands and result. */
export const logicalAndOp = comparison('logicalAnd', (a, b) => a !== 0 && b !== 0);
/** The op of `logicalOr`: bool operands and result. */
export const logicalOrOp = comparison('logicalOr', (a, b) => a !== 0 || b !== 0);

/** The op of `logicalNot`: bool operand and result. */
export const logicalNotOp = defineOp<Attributes>({
  name: 'logicalNot',
  infer: (inputs) => {
    if (inputs.length !== 1 || inputs[0]!.dtype !== 'bool') {
      throw opTypesDoNotFit('logicalNot', inputs, 'takes one bool operand');
    }
    return [{ dtype: 'bool', shape: inputs[0]!.shape }];
  },
  evaluate: ([x]) => [{ shape: x!.shape, data: x!.data.map((number) => Number(number === 0)) }],
  gradient: () => [undefined],
});

/**
 * The op of `where`. Inputs: a bool condition, then two operands of one dtype, all broadcast
 * together.
 */
export const whereOp = defineOp<Attributes>({
  name: 'where',
  infer: (inputs) => {
    const [condition, a, b] = inputs;
    const values = a && b && broadcastShapes(a.shape, b.shape);
    const shape = condition && values && broadcastShapes(condition.shape, values);
    if (!shape || condition.dtype !== 'bool' || a.dtype !== b.dtype) {
      throw opTypesDoNotFit(
        'where',
        inputs,
        'takes a bool condition and two operands of one dtype, all of shapes that broadcast',
      );
    }
    return [{ dtype: a.dtype, shape }];
  },
  evaluate: (inputs, _attributes, types) => {
    const { shape } = types[0]!;
    const [condition, a, b] = inputs as [NdArray, NdArray, NdArray];
    const result = ndarray(shape);
    forEachOffset(
      shape,
      inputs.map((input) => broadcastStrides(input.shape, shape)),
      (index, [c, i, j]) => {
        result.data[index] = condition.data[c!] ? a.data[i!]! : b.data[j!]!;
      },
    );
    return [result];
  },
  gradient: (node, [gradient], needed) => {
    const [condition, a, b] = node.inputs as [Value, Value, Value];
    return [
      undefined,
      needed[1] ? unbroadcast(where(condition, gradient!, 0), a.shape) : undefined,
      needed[2] ? unbroadcast(where(condition, 0, gradient!), b.shape) : undefined,
    ];
  },
});

/** a == b, elementwise; bool. Operands of one dtype. */
export function equal(a: Operand, b: Operand): Value {
  return applyOne(equalOp, operands(a, b), {});
}
/** a < b, elementwise; bool. */
export function less(a: Operand, b: Operand): Value {
  return applyOne(lessOp, operands(a, b), {});
}
/** a <= b, elementwise; bool. */
export function lessOrEqual(a: Operand, b: Operand): Value {
  return applyOne(lessOrEqualOp, operands(a, b), {});
}
/** a > b, elementwise; bool. */
export function greater(a: Operand, b: Operand): Value {
  return applyOne(greaterOp, operands(a, b), {});
}
/** a >= b, elementwise; bool. */
export function greaterOrEqual(a: Operand, b: Operand): Value {
  return applyOne(greaterOrEqualOp, operands(a, b), {});
}
/** Both of two bool values. */
export function logicalAnd(a: Value, b: Value): Value {
  return applyOne(logicalAndOp, [a, b], {});
}
/** Either of two bool values. */
export function logicalOr(a: Value, b: Value): Value {
  return applyOne(logicalOrOp, [a, b], {});
}
/** The opposite of a bool value. */
export function logicalNot(x: Value): Value {
  return applyOne(logicalNotOp, [x], {});
}
/** a where condition holds, b elsewhere. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const [left, right] =
    typeof a === 'number' && typeof b === 'number'
      ? [condition.graph.scalar(a), condition.graph.scalar(b)]
      : operands(a, b);
  return applyOne(whereOp, [condition, left, right], {});
}
