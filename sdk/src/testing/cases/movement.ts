// Cases of ops that move numbers, look them up, or reduce them.
import {
  afterOp,
  applyOne,
  broadcastToOp,
  castOp,
  concatOp,
  detachOp,
  gather,
  gatherOp,
  maxOp,
  padOp,
  reshapeOp,
  scatterAddOp,
  sizeOf,
  sliceOp,
  softmaxOp,
  sub,
  sumOp,
  takeLastOp,
  transposeOp,
  type Attributes,
  type OpDefinition,
  type Shape,
} from '../../graph/index.ts';
import { draws, type Draw } from '../inputs.ts';
import type { OpCase, OpCheck } from '../op.ts';

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
const check = <A extends Attributes>(
  op: OpDefinition<A>,
  cases: readonly OpCase<A>[],
): OpCheck => ({ op, cases });

function random<A extends Attributes>(
  op: OpDefinition<A>,
  count: number,
  make: (draw: Draw) => OpCase<A>,
): OpCheck {
  const draw = draws(2, op.name);
  return check(
    op,
    times(count, () => make(draw)),
  );
}

function reductions(
  op: OpDefinition<{ readonly axes: readonly number[]; readonly keepDims: boolean }>,
): OpCheck {
  const fixed: readonly (readonly [Shape, readonly number[]])[] = [
    [[], []],
    [[1], [0]],
    [[3], [0]],
    [[2, 3], []],
    [[2, 3], [0]],
    [[2, 3], [1]],
    [
      [2, 3],
      [0, 1],
    ],
    [
      [2, 3, 2],
      [0, 2],
    ],
    [[2, 1, 3], [1]],
  ];
  return check(
    op,
    fixed.flatMap(([shape, axes]) =>
      [true, false].map((keepDims) => ({
        name: `axes [${axes.join(', ')}]${keepDims ? ' kept' : ''}`,
        attributes: { axes, keepDims },
        inputs: { x: { shape } },
      })),
    ),
  );
}

const indices = (shape: Shape, size: number): OpCase['inputs'][string] => ({
  shape,
  dtype: 'int32',
  range: [0, size - 1],
});

/** Checks of ops that move, repeat, reduce, look up or convert numbers. */
export const movement: readonly OpCheck[] = [
  random(reshapeOp, 6, (draw) => {
    const shape = draw.shape(3);
    return { attributes: { shape: [shape[2]!, shape[0]! * shape[1]!] }, inputs: { x: { shape } } };
  }),
  random(transposeOp, 8, (draw) => {
    const rank = draw.size(0, 4);
    return {
      attributes: { permutation: draw.permutation(rank) },
      inputs: { x: { shape: draw.shape(rank, 3) } },
    };
  }),
  random(sliceOp, 8, (draw) => {
    const shape = draw.shape(draw.size(1, 3));
    const starts = shape.map((size) => draw.size(0, size - 1));
    return {
      attributes: { starts, ends: shape.map((size, axis) => draw.size(starts[axis]! + 1, size)) },
      inputs: { x: { shape } },
    };
  }),
  random(padOp, 6, (draw) => {
    const shape = draw.shape(draw.size(1, 3), 3);
    return {
      attributes: {
        before: shape.map(() => draw.size(0, 2)),
        after: shape.map(() => draw.size(0, 2)),
      },
      inputs: { x: { shape } },
    };
  }),
  random(concatOp, 6, (draw) => {
    const shape = draw.shape(3, 3);
    const axis = draw.size(0, 2);
    const part = (): OpCase['inputs'][string] => ({
      shape: shape.map((size, at) => (at === axis ? draw.size(1, 3) : size)),
    });
    return { attributes: { axis }, inputs: { a: part(), b: part(), c: part() } };
  }),
  check(
    afterOp,
    ([[], [3], [2, 3]] as Shape[]).map((shape) => ({
      name: `rank ${shape.length}`,
      attributes: {},
      inputs: { x: { shape }, before: { shape: [2, 2] }, also: { shape: [] } },
    })),
  ),
  check(detachOp, [
    { name: 'int', attributes: {}, inputs: { x: { shape: [2, 3], dtype: 'int32' } } },
    // finite differences see the operand move, so that only what they cancel out of is checked
    {
      name: 'less itself',
      attributes: {},
      inputs: { x: { shape: [2, 3] } },
      build: ({ x }) => [sub(applyOne(detachOp, [x!], {}), applyOne(detachOp, [x!], {}))],
    },
  ]),
  random(broadcastToOp, 8, (draw) => {
    const shape = draw.shape(3);
    return { attributes: { shape }, inputs: { x: { shape: draw.narrower(shape) } } };
  }),
  check(castOp, [
    { name: 'float to float', attributes: { dtype: 'float32' }, inputs: { x: { shape: [2, 3] } } },
    {
      name: 'int to float',
      attributes: { dtype: 'float32' },
      inputs: { x: { shape: [4], dtype: 'int32' } },
    },
    {
      name: 'float to int',
      attributes: { dtype: 'int32' },
      inputs: { x: { shape: [5], range: [-3, 3] } },
    },
    {
      name: 'int to bool',
      attributes: { dtype: 'bool' },
      inputs: { x: { shape: [6], dtype: 'int32' } },
    },
    {
      name: 'bool to float',
      attributes: { dtype: 'float32' },
      inputs: { x: { shape: [2, 2], dtype: 'bool' } },
    },
  ]),
  reductions(sumOp),
  reductions(maxOp),
  check(
    softmaxOp,
    ([[1], [5], [2, 3], [2, 1], [2, 2, 3]] as Shape[]).map((shape) => ({
      inputs: { x: { shape, range: [-4, 4] } },
    })),
  ),
  check(gatherOp, [
    { attributes: { axis: 0 }, inputs: { x: { shape: [4, 3] }, indices: indices([5], 4) } },
    { attributes: { axis: 0 }, inputs: { x: { shape: [4, 3] }, indices: indices([2, 3], 4) } },
    { attributes: { axis: 0 }, inputs: { x: { shape: [3] }, indices: indices([], 3) } },
    { attributes: { axis: 1 }, inputs: { x: { shape: [2, 4, 3] }, indices: indices([2, 2], 4) } },
    { attributes: { axis: 2 }, inputs: { x: { shape: [2, 2, 3] }, indices: indices([4], 3) } },
    { attributes: { axis: 1 }, inputs: { x: { shape: [1, 1] }, indices: indices([1], 1) } },
    {
      name: 'then summed',
      inputs: { x: { shape: [3, 2] }, indices: indices([4], 3) },
      build: ({ x, indices: at }) => [gather(x!, at!), gather(x!, at!, 0)],
    },
  ]),
  check(scatterAddOp, [
    { attributes: { size: 4 }, inputs: { indices: indices([5], 4), updates: { shape: [5] } } },
    { attributes: { size: 3 }, inputs: { indices: indices([6], 3), updates: { shape: [6, 2] } } },
    {
      attributes: { size: 6 },
      inputs: { indices: indices([2], 6), updates: { shape: [2, 2, 3] } },
    },
    { attributes: { size: 1 }, inputs: { indices: indices([1], 1), updates: { shape: [1, 1] } } },
  ]),
  check(
    takeLastOp,
    ([[4], [2, 3], [2, 2, 3], [3, 1]] as Shape[]).map((shape) => ({
      name: `${sizeOf(shape)} numbers`,
      attributes: {},
      inputs: { x: { shape }, indices: indices(shape.slice(0, -1), shape.at(-1)!) },
    })),
  ),
];
