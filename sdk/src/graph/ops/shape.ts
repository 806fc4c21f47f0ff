// Ops that only move numbers: reshape, transpose, slice, pad, concat, cast. Their
// gradients are among themselves.
import type { Value } from '../graph.ts';
import { ndarray, forEachOffset } from '../ndarray.ts';
import { applyOne, defineOp } from '../op.ts';
import { isFloat, sameShape, sizeOf, type DType, type Shape, type ValueType } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';

type ShapeAttribute = { readonly shape: Shape };

function onlyOperand(op: string, inputs: readonly ValueType[]): ValueType {
  if (inputs.length !== 1) throw opTypesDoNotFit(op, inputs, 'takes one operand');
  return inputs[0]!;
}

/** The op of `reshape`, to the shape in its attributes. */
export const reshapeOp = defineOp<ShapeAttribute>({
  name: 'reshape',
  infer: (inputs, { shape }) => {
    const x = onlyOperand('reshape', inputs);
    if (sizeOf(x.shape) !== sizeOf(shape)) {
      throw opTypesDoNotFit(
        'reshape',
        inputs,
        `[${shape.join(', ')}] must have as many elements as the operand`,
      );
    }
    return [{ dtype: x.dtype, shape }];
  },
  evaluate: ([x], { shape }) => [{ shape, data: x!.data }],
  gradient: (node, [gradient]) => [reshape(gradient!, node.inputs[0]!.shape)],
});

/** The op of `transpose`: result axis i is the operand's axis permutation[i]. */
export const transposeOp = defineOp<{ readonly permutation: readonly number[] }>({
  name: 'transpose',
  infer: (inputs, { permutation }) => {
    const x = onlyOperand('transpose', inputs);
    if (
      permutation.length !== x.shape.length ||
      x.shape.some((_, axis) => !permutation.includes(axis))
    ) {
      throw opTypesDoNotFit(
        'transpose',
        inputs,
        `(${permutation.join(', ')}) must be a permutation of the operand's axes`,
      );
    }
    return [{ dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis]!) }];
  },
  evaluate: ([x], { permutation }, [type]) => {
    const strides = x!.shape.map((_, axis) => sizeOf(x!.shape.slice(axis + 1)));
    const result = ndarray(type!.shape);
    forEachOffset(type!.shape, [permutation.map((axis) => strides[axis]!)], (index, [offset]) => {
      result.data[index] = x!.data[offset!]!;
    });
    return [result];
  },
  gradient: (node, [gradient]) => {
    const { permutation } = node.attributes;
    return [
      transpose(
        gradient!,
        permutation.map((_, axis) => permutation.indexOf(axis)),
      ),
    ];
  },
});

type Range = { readonly starts: readonly number[]; readonly ends: readonly number[] };

/** The op of `slice`: elements starts[axis] .. ends[axis] - 1 of every axis. */
export const sliceOp = defineOp<Range>({
  name: 'slice',
  infer: (inputs, { starts, ends }) => {
    const x = onlyOperand('slice', inputs);
    const fits =
      starts.length === x.shape.length &&
      ends.length === x.shape.length &&
      x.shape.every(
        (size, axis) => starts[axis]! >= 0 && starts[axis]! <= ends[axis]! && ends[axis]! <= size,
      );
    if (!fits) {
      throw opTypesDoNotFit(
        'slice',
        inputs,
        `[${starts.join(', ')}] .. [${ends.join(', ')}] must lie inside the operand`,
      );
    }
    return [{ dtype: x.dtype, shape: starts.map((start, axis) => ends[axis]! - start) }];
  },
  evaluate: ([x], { starts }, [type]) => {
    const strides = x!.shape.map((_, axis) => sizeOf(x!.shape.slice(axis + 1)));
    const first = starts.reduce((offset, start, axis) => offset + start * strides[axis]!, 0);
    const result = ndarray(type!.shape);
    forEachOffset(type!.shape, [strides], (index, [offset]) => {
      result.data[index] = x!.data[first + offset!]!;
    });
    return [result];
  },
  gradient: (node, [gradient]) => {
    const { starts, ends } = node.attributes;
    return [
      pad(
        gradient!,
        starts,
        node.inputs[0]!.shape.map((size, axis) => size - ends[axis]!),
      ),
    ];
  },
});

/** The op of `pad`: zeros before and after each axis. */
export const padOp = defineOp<{
  readonly before: readonly number[];
  readonly after: readonly number[];
}>({
  name: 'pad',
  infer: (inputs, { before, after }) => {
    const x = onlyOperand('pad', inputs);
    if (
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((size) => size < 0)
    ) {
      throw opTypesDoNotFit(
        'pad',
        inputs,
        'needs a size before and after for every axis, none negative',
      );
    }
    return [
      { dtype: x.dtype, shape: x.shape.map((size, axis) => before[axis]! + size + after[axis]!) },
    ];
  },
  evaluate: ([x], { before }, [type]) => {
    const result = ndarray(type!.shape);
    const strides = type!.shape.map((_, axis) => sizeOf(type!.shape.slice(axis + 1)));
    const first = before.reduce((offset, start, axis) => offset + start * strides[axis]!, 0);
    forEachOffset(x!.shape, [strides], (index, [offset]) => {
      result.data[first + offset!] = x!.data[index]!;
    });
    return [result];
  },
  gradient: (node, [gradient]) => {
    const { before } = node.attributes;
    return [
      slice(
        gradient!,
        before,
        node.inputs[0]!.shape.map((size, axis) => before[axis]! + size),
      ),
    ];
  },
});

/** The op of `concat`, along the axis in its attributes. */
export const concatOp = defineOp<{ readonly axis: number }>({
  name: 'concat',
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    const fits =
      first &&
      inputs.every(
        (input) =>
          input.dtype === first.dtype &&
          input.shape.length === first.shape.length &&
          input.shape.every((size, at) => at === axis || size === first.shape[at]),
      );
    if (!fits || axis < 0 || axis >= first.shape.length) {
      throw opTypesDoNotFit(
        'concat',
        inputs,
        `operands must agree in dtype and in every axis but ${axis}`,
      );
    }
    return [
      {
        dtype: first.dtype,
        shape: first.shape.map((size, at) =>
          at === axis ? inputs.reduce((total, input) => total + input.shape[axis]!, 0) : size,
        ),
      },
    ];
  },
  evaluate: (inputs, { axis }, [type]) => {
    const result = ndarray(type!.shape);
    const strides = type!.shape.map((_, at) => sizeOf(type!.shape.slice(at + 1)));
    let start = 0;
    for (const input of inputs) {
      const first = start * strides[axis]!;
      forEachOffset(input.shape, [strides], (index, [offset]) => {
        result.data[first + offset!] = input.data[index]!;
      });
      start += input.shape[axis]!;
    }
    return [result];
  },
  gradient: (node, [gradient], needed) => {
    const { axis } = node.attributes;
    let start = 0;
    return node.inputs.map((input, index) => {
      const from = start;
      start += input.shape[axis]!;
      if (!needed[index]) return undefined;
      const whole = gradient!.shape;
      return slice(
        gradient!,
        whole.map((_, at) => (at === axis ? from : 0)),
        whole.map((size, at) => (at === axis ? from + input.shape[axis]! : size)),
      );
    });
  },
});

function castNumbers(data: Float64Array, dtype: DType): Float64Array {
  if (dtype === 'bool') return data.map((number) => Number(number !== 0));
  return isFloat(dtype) ? data : data.map(Math.trunc);
}

/** The op of `cast`. Its gradient is cast back to the operand's type, where that is a float. */
export const castOp = defineOp<{ readonly dtype: DType }>({
  name: 'cast',
  infer: (inputs, { dtype }) => [{ dtype, shape: onlyOperand('cast', inputs).shape }],
  evaluate: ([x], { dtype }) => [{ shape: x!.shape, data: castNumbers(x!.data, dtype) }],
  gradient: (node, [gradient]) => [
    isFloat(node.inputs[0]!.dtype) ? cast(gradient!, node.inputs[0]!.dtype) : undefined,
  ],
});

/** The same elements in row-major order under another shape. */
export function reshape(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : applyOne(reshapeOp, [x], { shape });
}
/** Result axis i is the operand's axis permutation[i]. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  return applyOne(transposeOp, [x], { permutation });
}
/** Elements starts[axis] .. ends[axis] - 1 of every axis. */
export function slice(x: Value, starts: readonly number[], ends: readonly number[]): Value {
  const whole =
    sameShape(ends, x.shape) &&
    starts.length === ends.length &&
    starts.every((start) => start === 0);
  return whole ? x : applyOne(sliceOp, [x], { starts, ends });
}
/** Zeros around the operand. */
export function pad(x: Value, before: readonly number[], after: readonly number[]): Value {
  const none =
    before.length === x.shape.length &&
    after.length === x.shape.length &&
    [...before, ...after].every((size) => size === 0);
  return none ? x : applyOne(padOp, [x], { before, after });
}
/** Operands one after the other along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  return values.length === 1 ? values[0]! : applyOne(concatOp, values, { axis });
}
/** Converts the element type; towards zero for integers, nonzero is true for bool. */
export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : applyOne(castOp, [x], { dtype });
}
