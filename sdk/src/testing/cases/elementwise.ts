// Cases of ops that work element by element: one operand, two operands with broadcasting,
// comparisons, where, activations.
import {
  absOp,
  addOp,
  applyOne,
  cosOp,
  divOp,
  equalOp,
  erfOp,
  expm1Op,
  expOp,
  geluOp,
  greaterOp,
  greaterOrEqualOp,
  lessOp,
  lessOrEqualOp,
  logicalAndOp,
  logicalNotOp,
  logicalOrOp,
  log1mexpOp,
  log1pOp,
  logOp,
  logSigmoidOp,
  maximumOp,
  minimumOp,
  mulOp,
  negOp,
  reciprocalOp,
  sigmoidOp,
  signOp,
  siluOp,
  sinOp,
  sqrtOp,
  subOp,
  swigluOp,
  tanhOp,
  whereOp,
  type DType,
  type OpDefinition,
  type Shape,
} from '../../graph/index.ts';
import { draws } from '../inputs.ts';
import type { OpCheck } from '../op.ts';

type Range = readonly [number, number];

const draw = draws(1, 'elementwise');
const shapes: readonly Shape[] = [
  [],
  [1],
  draw.shape(1),
  draw.shape(2),
  draw.shape(3),
  [1, 3, 1, 2],
];

/** Pairs that broadcast: the same, a scalar, missing axes, axes of size 1 on either side. */
const pairs: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], []],
  [[], [4]],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1],
    [1, 3],
  ],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[1], [1, 1]],
  ...Array.from({ length: 4 }, () => {
    const shape = draw.shape(3);
    return [shape, draw.narrower(shape)] as const;
  }),
];

function unary(op: OpDefinition, ...ranges: Range[]): OpCheck {
  return {
    op,
    cases: (ranges.length > 0 ? ranges : [[-3, 3] as Range]).flatMap((range) =>
      shapes.map((shape) => ({ inputs: { x: { shape, range } } })),
    ),
  };
}

function binary(op: OpDefinition, ...ranges: Range[]): OpCheck {
  const cases = (ranges.length > 0 ? ranges : [[-2, 2] as Range]).flatMap((range) =>
    pairs.map(([a, b]) => ({
      inputs: { a: { shape: a, range: [-2, 2] as Range }, b: { shape: b, range } },
    })),
  );
  const twice = {
    name: 'one operand twice',
    inputs: { a: { shape: [2, 3], range: [0.5, 2] as Range } },
    build: ({ a }: Readonly<Record<string, Parameters<typeof applyOne>[1][number]>>) =>
      applyOne(op, [a!, a!], {}),
  };
  return { op, cases: op === maximumOp || op === minimumOp ? cases : [...cases, twice] };
}

/** Results of comparisons and boolean ops have no gradient; small integers make ties. */
function comparison(op: OpDefinition, dtypes: readonly DType[] = ['int32', 'float32']): OpCheck {
  return {
    op,
    cases: dtypes.flatMap((dtype) =>
      pairs.map(([a, b]) => ({ inputs: { a: { shape: a, dtype }, b: { shape: b, dtype } } })),
    ),
  };
}

const triples: readonly (readonly [Shape, Shape, Shape])[] = [
  [
    [2, 3],
    [2, 3],
    [2, 3],
  ],
  [[2, 1], [3], [2, 3]],
  [[], [2], [1]],
  [[4, 2], [], []],
  [[1, 3], [2, 1], []],
];

/** Checks of ops that compute each number from the numbers at the same index. */
export const elementwise: readonly OpCheck[] = [
  unary(absOp),
  unary(cosOp),
  unary(erfOp),
  unary(expOp),
  unary(expm1Op, [-3, 3], [-1e-3, 1e-3]),
  unary(logOp, [0.1, 4]),
  unary(log1pOp, [-0.9, 4], [-1e-3, 1e-3]),
  unary(logSigmoidOp, [-3, 3], [-30, 30]),
  unary(log1mexpOp, [-3, -0.7], [-0.6, -0.1], [-30, -3]),
  unary(negOp),
  unary(reciprocalOp, [0.3, 3], [-3, -0.3]),
  unary(sigmoidOp, [-3, 3], [-30, 30]),
  unary(signOp),
  unary(siluOp, [-3, 3], [-30, 30]),
  unary(sinOp),
  unary(sqrtOp, [0.1, 4]),
  unary(tanhOp),
  {
    op: geluOp,
    cases: (['erf', 'tanh'] as const).flatMap((approximation) =>
      shapes.map((shape) => ({
        name: approximation,
        attributes: { approximation },
        inputs: { x: { shape, range: [-3, 3] as Range } },
      })),
    ),
  },
  {
    op: swigluOp,
    cases: shapes.map((shape) => ({
      inputs: { gate: { shape, range: [-3, 3] as Range }, up: { shape } },
    })),
  },
  binary(addOp),
  binary(subOp),
  binary(mulOp),
  binary(divOp, [0.3, 2], [-2, -0.3]),
  binary(maximumOp),
  binary(minimumOp),
  comparison(equalOp),
  comparison(greaterOp),
  comparison(greaterOrEqualOp),
  comparison(lessOp),
  comparison(lessOrEqualOp),
  comparison(logicalAndOp, ['bool']),
  comparison(logicalOrOp, ['bool']),
  {
    op: logicalNotOp,
    cases: shapes.map((shape) => ({ inputs: { x: { shape, dtype: 'bool' as const } } })),
  },
  {
    op: whereOp,
    cases: triples.map(([condition, a, b]) => ({
      inputs: {
        condition: { shape: condition, dtype: 'bool' as const },
        a: { shape: a },
        b: { shape: b },
      },
    })),
  },
];
