// Looking rows up and adding them back: gather along an axis, scatterAdd (its gradient for axis 0),
// takeLast (one element of each last axis).
import type { Value } from '../graph.ts';
import { ndarray, type NdArray } from '../ndarray.ts';
import { applyOne, defineOp } from '../op.ts';
import { isFloat, sameShape, sizeOf } from '../types.ts';
import { graphError, opTypesDoNotFit } from '../errors.ts';
import { reshape, transpose } from './shape.ts';
import { equal, where } from './logic.ts';

/**
 * The op of `gather`. Inputs: any operand, int32 indices, which replace the axis `axis`. Its
 * gradient is a `scatterAdd`.
 */
export const gatherOp = defineOp<{ readonly axis: number }>({
  name: 'gather',
  infer: (inputs, { axis }) => {
    const [x, indices] = inputs;
    if (!x || !indices || indices.dtype !== 'int32' || axis < 0 || axis >= x.shape.length) {
      throw opTypesDoNotFit(
        'gather',
        inputs,
        `takes an operand with axis ${axis} and int32 indices`,
      );
    }
    return [
      {
        dtype: x.dtype,
        shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)],
      },
    ];
  },
  evaluate: (inputs, { axis }, [type]) => {
    const [x, indices] = inputs as [NdArray, NdArray];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const outer = sizeOf(x.shape.slice(0, axis));
    const count = indices.data.length;
    const result = ndarray(type!.shape);
    for (let block = 0; block < outer; block++) {
      indices.data.forEach((index, place) => {
        checkIndex('gather', index, x.shape[axis]!);
        const from = (block * x.shape[axis]! + index) * inner;
        result.data.set(x.data.subarray(from, from + inner), (block * count + place) * inner);
      });
    }
    return [result];
  },
  gradient: (node, [gradient], needed) => {
    const [x, indices] = node.inputs as [Value, Value];
    if (!needed[0]) return [undefined];
    const { axis } = node.attributes;
    const inner = x.shape.slice(axis + 1);
    const count = sizeOf(indices.shape);
    const flat = reshape(indices, [count]);
    if (axis === 0) return [scatterAdd(flat, reshape(gradient!, [count, ...inner]), x.shape[0]!)];
    const outer = sizeOf(x.shape.slice(0, axis));
    const moved = transpose(reshape(gradient!, [outer, count, sizeOf(inner)]), [1, 0, 2]);
    const added = scatterAdd(flat, moved, x.shape[axis]!);
    return [reshape(transpose(added, [1, 0, 2]), x.shape)];
  },
});

/**
 * The op of `scatterAdd`. Inputs: int32 indices [N], updates [N, ...]; the result is [size, ...].
 */
export const scatterAddOp = defineOp<{ readonly size: number }>({
  name: 'scatterAdd',
  infer: (inputs, { size }) => {
    const [indices, updates] = inputs;
    if (
      !indices ||
      !updates ||
      indices.dtype !== 'int32' ||
      indices.shape.length !== 1 ||
      updates.shape[0] !== indices.shape[0] ||
      !isFloat(updates.dtype)
    ) {
      throw opTypesDoNotFit(
        'scatterAdd',
        inputs,
        'takes int32 indices [n] and float updates [n, ...]',
      );
    }
    return [{ dtype: updates.dtype, shape: [size, ...updates.shape.slice(1)] }];
  },
  evaluate: (inputs, _attributes, [type]) => {
    const [indices, updates] = inputs as [NdArray, NdArray];
    const inner = sizeOf(updates.shape.slice(1));
    const result = ndarray(type!.shape);
    indices.data.forEach((index, row) => {
      checkIndex('scatterAdd', index, result.shape[0]!);
      for (let k = 0; k < inner; k++) {
        result.data[index * inner + k]! += updates.data[row * inner + k]!;
      }
    });
    return [result];
  },
  gradient: (node, [gradient], needed) => [
    undefined,
    needed[1] ? gather(gradient!, node.inputs[0]!) : undefined,
  ],
});

/**
 * The op of `takeLast`. Inputs: [..., K], int32 indices of the leading axes; the result has no last
 * axis.
 */
export const takeLastOp = defineOp<Record<string, never>>({
  name: 'takeLast',
  infer: (inputs) => {
    const [x, indices] = inputs;
    if (
      !x ||
      !indices ||
      indices.dtype !== 'int32' ||
      x.shape.length === 0 ||
      !sameShape(indices.shape, x.shape.slice(0, -1))
    ) {
      throw opTypesDoNotFit(
        'takeLast',
        inputs,
        'takes an operand [..., n] and int32 indices [...]',
      );
    }
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  evaluate: (inputs) => {
    const [x, indices] = inputs as [NdArray, NdArray];
    const width = x.shape[x.shape.length - 1]!;
    return [
      {
        shape: indices.shape,
        data: indices.data.map((index, row) => {
          checkIndex('takeLast', index, width);
          return x.data[row * width + index]!;
        }),
      },
    ];
  },
  gradient: (node, [gradient], needed) => {
    const [x, indices] = node.inputs as [Value, Value];
    if (!needed[0]) return [undefined];
    const width = x.shape[x.shape.length - 1]!;
    const places = x.graph.constant(
      Int32Array.from({ length: width }, (_, index) => index),
      [width],
      'int32',
    );
    return [
      where(
        equal(places, reshape(indices, [...indices.shape, 1])),
        reshape(gradient!, [...indices.shape, 1]),
        0,
      ),
    ];
  },
});

function checkIndex(op: string, index: number, size: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= size) {
    throw graphError(op, `index ${index} is outside 0..${size - 1}`);
  }
}

/**
 * Slices of x along an axis at int32 indices: [before, n, after] with indices [...] -> [before,
 * ..., after].
 */
export function gather(x: Value, indices: Value, axis = 0): Value {
  return applyOne(gatherOp, [x, indices], { axis });
}
/** Zeros [size, ...] with updates[i] added to row indices[i]; rows named twice get both. */
export function scatterAdd(indices: Value, updates: Value, size: number): Value {
  return applyOne(scatterAddOp, [indices, updates], { size });
}
/** x[..., indices[...]]: one element of each last axis. */
export function takeLast(x: Value, indices: Value): Value {
  return applyOne(takeLastOp, [x, indices], {});
}
