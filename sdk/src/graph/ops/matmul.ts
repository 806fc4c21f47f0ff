// Matrix product over the last two axes, batched with broadcasting over the others.
import type { Value } from '../graph.ts';
import { ndarray, broadcastStrides, forEachOffset, type NdArray } from '../ndarray.ts';
import { applyOne, defineOp } from '../op.ts';
import { broadcastShapes, isFloat, sizeOf } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { unbroadcast } from './broadcast.ts';

/** Which operands have their last two axes swapped before the product. */
export interface MatMulOptions {
  /** Use the transpose of a's (b's) last two axes. */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

type MatMulAttributes = { readonly transposeA: boolean; readonly transposeB: boolean };

/** The op of `matMul`. Leading axes of the operands are broadcast. */
export const matMulOp = defineOp<MatMulAttributes>({
  name: 'matMul',
  infer: (inputs, { transposeA, transposeB }) => {
    const [a, b] = inputs;
    const rule =
      'takes two float operands of at least two axes, inner sizes equal, outer axes broadcasting';
    if (
      !a ||
      !b ||
      a.shape.length < 2 ||
      b.shape.length < 2 ||
      a.dtype !== b.dtype ||
      !isFloat(a.dtype)
    ) {
      throw opTypesDoNotFit('matMul', inputs, rule);
    }
    const [rows, innerA] = lastTwo(a.shape, transposeA);
    const [innerB, columns] = lastTwo(b.shape, transposeB);
    const outer = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (!outer || innerA !== innerB) {
      throw opTypesDoNotFit(
        'matMul',
        inputs,
        `${rule} (transposeA ${transposeA}, transposeB ${transposeB})`,
      );
    }
    return [{ dtype: a.dtype, shape: [...outer, rows, columns] }];
  },
  evaluate: (inputs, { transposeA, transposeB }, [type]) => {
    const [a, b] = inputs as [NdArray, NdArray];
    const outer = type!.shape.slice(0, -2);
    const [rows, inner] = lastTwo(a.shape, transposeA);
    const [, columns] = lastTwo(b.shape, transposeB);
    const result = ndarray(type!.shape);
    const strides = [a, b].map((x) =>
      broadcastStrides(x.shape.slice(0, -2), outer).map(
        (stride) => stride * sizeOf(x.shape.slice(-2)),
      ),
    );
    forEachOffset(outer, strides, (batch, [offsetA, offsetB]) => {
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let total = 0;
          for (let k = 0; k < inner; k++) {
            total +=
              a.data[offsetA! + (transposeA ? k * rows + row : row * inner + k)]! *
              b.data[offsetB! + (transposeB ? column * inner + k : k * columns + column)]!;
          }
          result.data[(batch * rows + row) * columns + column] = total;
        }
      }
    });
    return [result];
  },
  gradient: (node, [gradient], needed) => {
    const [a, b] = node.inputs as [Value, Value];
    const { transposeA, transposeB } = node.attributes;
    const g = gradient!;
    const ofA = (): Value =>
      transposeA
        ? matMul(b, g, { transposeA: transposeB, transposeB: true })
        : matMul(g, b, { transposeB: !transposeB });
    const ofB = (): Value =>
      transposeB
        ? matMul(g, a, { transposeA: true, transposeB: transposeA })
        : matMul(a, g, { transposeA: !transposeA });
    return [
      needed[0] ? unbroadcast(ofA(), a.shape) : undefined,
      needed[1] ? unbroadcast(ofB(), b.shape) : undefined,
    ];
  },
});

function lastTwo(shape: readonly number[], transposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transposed ? [columns, rows] : [rows, columns];
}

/** a b over the last two axes: [..., m, k] x [..., k, n] -> [..., m, n]. */
export function matMul(
  a: Value,
  b: Value,
  { transposeA = false, transposeB = false }: MatMulOptions = {},
): Value {
  return applyOne(matMulOp, [a, b], { transposeA, transposeB });
}
