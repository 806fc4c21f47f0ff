// Broadcasting and its reverse, the sum over axes: the gradient of each is the other. Reductions
// that need more are in reduce.ts.
import type { OpDefinition, Value } from '../graph.ts';
import { ndarray, broadcastStrides, forEachOffset, type NdArray } from '../ndarray.ts';
import { applyOne, defineOp } from '../op.ts';
import { broadcastShapes, isFloat, sameShape, sizeOf, type Shape } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { reshape } from './shape.ts';

/** Over which axes a reduction goes, and whether they stay with size 1. */
export interface ReduceOptions {
  /** Axes to reduce, negative ones counted from the last; all of them where left out. */
  readonly axes?: readonly number[];
  /** Keep reduced axes with size 1. */
  readonly keepDims?: boolean;
}

type ReduceAttributes = { readonly axes: readonly number[]; readonly keepDims: boolean };

const kept = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((size, axis) => (axes.includes(axis) ? 1 : size));

/** A reduction with `combine` from `start` on; `rule` gives the gradient of its operand. */
export function reduceOp(
  name: string,
  start: number,
  combine: (sofar: number, x: number) => number,
  rule: (x: Value, gradient: Value, y: () => Value, axes: readonly number[]) => Value,
): OpDefinition<ReduceAttributes> {
  return defineOp<ReduceAttributes>({
    name,
    infer: (inputs, { axes, keepDims }) => {
      const [x] = inputs;
      if (
        inputs.length !== 1 ||
        !x ||
        !isFloat(x.dtype) ||
        axes.some((axis, at) => axis < 0 || axis >= x.shape.length || axes.indexOf(axis) !== at)
      ) {
        throw opTypesDoNotFit(
          name,
          inputs,
          `takes one float operand that has the axes ${axes.join(', ')}, each named once`,
        );
      }
      return [
        {
          dtype: x.dtype,
          shape: keepDims ? kept(x.shape, axes) : x.shape.filter((_, axis) => !axes.includes(axis)),
        },
      ];
    },
    evaluate: (inputs, { axes }, types) => {
      const [x] = inputs as [NdArray];
      const result = new Float64Array(sizeOf(types[0]!.shape)).fill(start);
      forEachOffset(
        x.shape,
        [broadcastStrides(kept(x.shape, axes), x.shape)],
        (index, [target]) => {
          result[target!] = combine(result[target!]!, x.data[index]!);
        },
      );
      return [{ shape: types[0]!.shape, data: result }];
    },
    gradient: (node, [gradient]) => {
      const [x] = node.inputs as [Value];
      const { axes } = node.attributes;
      // A scalar broadcasts as it is.
      const aligned = (y: Value): Value =>
        y.shape.length === 0 ? y : reshape(y, kept(x.shape, axes));
      return [rule(x, aligned(gradient!), () => aligned(node.outputs[0]!), axes)];
    },
  });
}

/** The op of `sum`, over the axes in its attributes. */
export const sumOp = reduceOp(
  'sum',
  0,
  (sofar, x) => sofar + x,
  (x, gradient) => broadcastTo(gradient, x.shape),
);
/** The op of `broadcastTo`. Its gradient is the sum over the repeated axes. */
export const broadcastToOp = defineOp<{ readonly shape: Shape }>({
  name: 'broadcastTo',
  infer: (inputs, { shape }) => {
    const [x] = inputs;
    if (inputs.length !== 1 || !x) {
      throw opTypesDoNotFit('broadcastTo', inputs, 'takes one operand');
    }
    const common = broadcastShapes(x.shape, shape);
    if (!common || !sameShape(common, shape)) {
      throw opTypesDoNotFit('broadcastTo', inputs, `cannot be broadcast to [${shape.join(', ')}]`);
    }
    return [{ dtype: x.dtype, shape }];
  },
  evaluate: ([x], { shape }) => {
    const result = ndarray(shape);
    forEachOffset(shape, [broadcastStrides(x!.shape, shape)], (index, [offset]) => {
      result.data[index] = (x as NdArray).data[offset!]!;
    });
    return [result];
  },
  gradient: (node, [gradient]) => [unbroadcast(gradient!, node.inputs[0]!.shape)],
});

/** The attributes of a reduction of x: all axes where none are named. */
export function reduceAttributes(
  x: Value,
  { axes, keepDims = false }: ReduceOptions,
): ReduceAttributes {
  const rank = x.shape.length;
  return {
    axes: axes
      ? axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)
      : x.shape.map((_, axis) => axis),
    keepDims,
  };
}

/** Sum over axes. */
export function sum(x: Value, options: ReduceOptions = {}): Value {
  return applyOne(sumOp, [x], reduceAttributes(x, options));
}
/** Repeats size-1 axes (and adds leading ones) up to a shape. */
export function broadcastTo(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : applyOne(broadcastToOp, [x], { shape });
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
