// Reductions over axes: sum, max, mean.
import type { Value } from '../graph.ts';
import { broadcastStrides, forEachOffset, type NdArray } from '../ndarray.ts';
import { applyOne, defineOp, type OpDefinition } from '../op.ts';
import { isFloat, sizeOf, type Shape } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { div, mul } from './binary.ts';
import { equal } from './logic.ts';
import { broadcastTo, cast, reshape } from './shape.ts';

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

function reduceOp(
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
/** Its gradient is shared evenly by the elements that equal the largest. */
export const maxOp = reduceOp('max', -Infinity, Math.max, (x, gradient, y, axes) => {
  const top = cast(equal(x, y()), x.dtype);
  return mul(top, div(gradient, sum(top, { axes, keepDims: true })));
});

function attributes(x: Value, { axes, keepDims = false }: ReduceOptions): ReduceAttributes {
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
  return applyOne(sumOp, [x], attributes(x, options));
}
/** Largest element over axes. */
export function max(x: Value, options: ReduceOptions = {}): Value {
  return applyOne(maxOp, [x], attributes(x, options));
}
/** Mean over axes. */
export function mean(x: Value, options: ReduceOptions = {}): Value {
  const count = attributes(x, options).axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  return mul(sum(x, options), 1 / count);
}
