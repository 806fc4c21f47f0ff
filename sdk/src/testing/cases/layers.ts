// Cases of the ops that language models are made of: matMul, norms, rope, attention, linear
// cross-entropy.
import {
  applyOp,
  attendOp,
  attention,
  decodeAttention,
  decodeAttentionOp,
  layerNormOp,
  lessOrEqual,
  linearCrossEntropyOp,
  linearLogProbsGradientOp,
  linearLogProbsOp,
  matMulOp,
  mul,
  reshape,
  rmsNormOp,
  ropeOp,
  segmentedAttentionOp,
  where,
  type Attributes,
  type AttentionOptions,
  type LinearLogProbsAttributes,
  type OpDefinition,
  type SegmentedAttentionAttributes,
  type Shape,
} from '../../graph/index.ts';
import { draws, type TestInput, type TestInputs } from '../inputs.ts';
import type { OpCase, OpCheck } from '../op.ts';

const check = <A extends Attributes>(
  op: OpDefinition<A>,
  cases: readonly OpCase<A>[],
): OpCheck => ({ op, cases });
const draw = draws(3, 'layers');

/** [outer axes of a, outer axes of b, rows, inner, columns] */
const products: readonly (readonly [Shape, Shape, number, number, number])[] = [
  [[], [], 2, 3, 4],
  [[], [], 1, 1, 1],
  [[], [], 1, 4, 1],
  [[2], [2], 2, 3, 2],
  [[2], [], 2, 3, 2],
  [[], [3], 2, 1, 2],
  [[2, 1], [3], 2, 2, 1],
  [[1, 2], [2, 1], 1, 2, 3],
  [[], [], draw.size(1, 4), draw.size(1, 4), draw.size(1, 4)],
  [draw.shape(2, 3), [], draw.size(1, 3), draw.size(1, 3), draw.size(1, 3)],
];
const flags = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

const matMuls = products.flatMap(([outerA, outerB, rows, inner, columns]) =>
  flags.map(([transposeA, transposeB]) => ({
    name: `transposeA ${transposeA}, transposeB ${transposeB}`,
    attributes: { transposeA, transposeB },
    inputs: {
      a: { shape: [...outerA, ...(transposeA ? [inner, rows] : [rows, inner])] },
      b: { shape: [...outerB, ...(transposeB ? [columns, inner] : [inner, columns])] },
    },
  })),
);

const rows: readonly Shape[] = [[3], [1, 4], [2, 3], [2, 2, 5], [3, 2]];
const norm = (shape: Shape, names: readonly string[]): TestInputs => ({
  x: { shape, range: [-2, 2] },
  ...Object.fromEntries(names.map((name) => [name, { shape: shape.slice(-1) }])),
});
const epsilons = [1e-5, 0.1];

/** [batch, length, heads, dimensions of a head, positions of the table] */
const rotations = [
  [1, 1, 1, 2, 1],
  [2, 3, 2, 4, 5],
  [1, 4, 1, 6, 4],
  [2, 2, 3, 2, 9],
] as const;

interface AttentionCase {
  readonly sizes: readonly [
    batch: number,
    length: number,
    heads: number,
    groups: number,
    width: number,
  ];
  readonly options?: Partial<AttentionOptions>;
}

const attentions: readonly AttentionCase[] = [
  { sizes: [1, 1, 1, 1, 2] },
  { sizes: [2, 4, 2, 2, 3] },
  { sizes: [1, 5, 4, 2, 2], options: { tile: 2 } },
  { sizes: [1, 5, 3, 1, 2], options: { tile: 3, window: 2 } },
  { sizes: [2, 6, 2, 1, 2], options: { tile: 4, window: 3, scale: 0.7 } },
  { sizes: [1, 4, 2, 2, 1], options: { window: 1 } },
];

/** [batch, key heads, length, dimensions of a head], attributes, segments */
const packed: readonly (readonly [
  readonly [number, number, number, number],
  SegmentedAttentionAttributes,
  readonly number[],
])[] = [
  [[2, 2, 5, 2], { tile: 2, shared: 2, window: 0 }, [1, 1, 2, 2, 2, 1, 2, 2, 3, 0]],
  [[1, 1, 6, 2], { tile: 4, shared: 2, window: 2 }, [1, 1, 1, 2, 2, 2]],
  [[1, 2, 9, 2], { tile: 3, shared: 1, window: 0 }, [1, 1, 2, 2, 2, 3, 3, 0, 0]],
  [[1, 1, 6, 2], { tile: 2, shared: 3, window: 0 }, [1, 1, 2, 2, 2, 1]],
  [[2, 2, 7, 2], { tile: 2, shared: 1, window: 3 }, [0, 0, 1, 1, 1, 1, 1, 3, 1, 3, 1, 3, 1, 2]],
  [[1, 1, 4, 3], { tile: 1, shared: 2, window: 0 }, [4, 3, 3, 1]],
];

function attentionCase({
  sizes: [batch, length, heads, groups, width],
  options = {},
}: AttentionCase): OpCase {
  const head = (count: number): TestInput => ({
    shape: [batch, length, count, width],
    range: [-2, 2],
  });
  return {
    name: `attention ${JSON.stringify(options)}`,
    inputs: { q: head(heads), k: head(groups), v: head(groups) },
    build: ({ q, k, v }) => attention({ q: q!, k: k!, v: v!, ...options }),
  };
}

/** [batch, heads, groups, dimensions of a head, places], lengths, window */
const steps: readonly (readonly [
  readonly [number, number, number, number, number],
  readonly number[],
  number,
])[] = [
  [[1, 1, 1, 2, 1], [0], 0],
  [[1, 2, 2, 3, 4], [2], 0],
  [[2, 4, 2, 2, 5], [0, 4], 0],
  [[2, 2, 1, 8, 6], [5, 3], 2],
  [[3, 4, 2, 8, 7], [0, 6, 2], 3],
  [[1, 6, 3, 16, 9], [8], 1],
];

const labels = (...values: number[]): TestInput => ({
  shape: [values.length],
  dtype: 'int32',
  values,
});

/** Rows of a head, with what attributes and labels. */
const heads: readonly (readonly [
  name: string,
  attributes: LinearLogProbsAttributes,
  sizes: readonly [width: number, size: number],
  labels: readonly number[],
])[] = [
  ['all rows', { chunk: 128, temperature: 1, softCap: 0 }, [2, 4], [0, 3, 1]],
  ['ignored labels', { chunk: 2, temperature: 0.7, softCap: 0 }, [3, 3], [-100, 2, -1, 0, -100]],
  ['no label at all', { chunk: 2, temperature: 1, softCap: 0 }, [2, 3], [-100, -100, -100]],
  ['one of one', { chunk: 1, temperature: 1, softCap: 0 }, [1, 1], [0]],
  ['label twice', { chunk: 2, temperature: 1.3, softCap: 2 }, [2, 5], [4, 4, 0, 4]],
];

const headInputs = ([width, size]: readonly [number, number], rows: readonly number[]) => ({
  hidden: { shape: [rows.length, width], range: [-2, 2] as const },
  weight: { shape: [size, width], range: [-2, 2] as const },
  labels: labels(...rows),
});

/** Checks of products, norms, attention, rotation, loss and the other layers of a model. */
export const layers: readonly OpCheck[] = [
  check(matMulOp, matMuls),
  check(
    rmsNormOp,
    rows.flatMap((shape) =>
      epsilons.map((epsilon) => ({
        name: `epsilon ${epsilon}`,
        attributes: { epsilon },
        inputs: norm(shape, ['weight']),
      })),
    ),
  ),
  check(
    layerNormOp,
    rows.flatMap((shape) =>
      epsilons.map((epsilon) => ({
        name: `epsilon ${epsilon}`,
        attributes: { epsilon },
        inputs: norm(shape, ['weight', 'bias']),
      })),
    ),
  ),
  check(
    ropeOp,
    rotations.map(([batch, length, heads, width, positions]) => ({
      inputs: {
        x: { shape: [batch, length, heads, width] },
        cos: { shape: [positions, width / 2], differentiate: false },
        sin: { shape: [positions, width / 2], differentiate: false },
        positions: { shape: [batch, length], dtype: 'int32', range: [0, positions - 1] },
      },
    })),
  ),
  check(
    decodeAttentionOp,
    steps.map(([[batch, heads, groups, width, size], lengths, window]) => ({
      name: `window ${window}`,
      attributes: { window, scale: 0.6 },
      inputs: {
        q: { shape: [batch, 1, heads, width] },
        k: { shape: [batch, 1, groups, width] },
        v: { shape: [batch, 1, groups, width] },
        keys: { shape: [batch, groups, size, width] },
        values: { shape: [batch, groups, size, width] },
        lengths: { shape: [batch], dtype: 'int32', values: lengths },
      },
      // The content of places after the new token does not matter, as long as it is finite.
      build: ({ q, k, v, keys, values, lengths: ends }) => {
        const step = decodeAttention({
          q: q!,
          k: k!,
          v: v!,
          cache: { keys: keys!, values: values!, lengths: ends! },
          window,
          scale: 0.6,
        });
        const filled = lessOrEqual(
          q!.graph.constant(
            Int32Array.from({ length: size }, (_, place) => place),
            [1, 1, size, 1],
            'int32',
          ),
          reshape(ends!, [batch, 1, 1, 1]),
        );
        return [
          step.result,
          ...[step.keys, step.values].flatMap((cache) => [where(filled, cache, 0), mul(cache, 0)]),
        ];
      },
    })),
  ),
  check(attendOp, [
    {
      attributes: { shared: 1 },
      inputs: { q: { shape: [2, 3] }, k: { shape: [4, 3] }, v: { shape: [4, 2] } },
    },
    {
      name: 'one key',
      attributes: { shared: 1 },
      inputs: { q: { shape: [1, 2, 3] }, k: { shape: [1, 1, 3] }, v: { shape: [1, 1, 3] } },
    },
    {
      name: 'mask that broadcasts',
      attributes: { shared: 1 },
      inputs: {
        q: { shape: [2, 2, 3, 2] },
        k: { shape: [2, 2, 4, 2] },
        v: { shape: [2, 2, 4, 2] },
        mask: { shape: [2, 1, 3, 4] },
      },
    },
    {
      name: 'mask of keys',
      attributes: { shared: 1 },
      inputs: {
        q: { shape: [2, 3, 2] },
        k: { shape: [2, 2, 2] },
        v: { shape: [2, 2, 3] },
        mask: { shape: [2] },
      },
    },
    {
      name: 'mask that rows share',
      attributes: { shared: 2 },
      inputs: {
        q: { shape: [2, 2, 4, 2] },
        k: { shape: [2, 2, 3, 2] },
        v: { shape: [2, 2, 3, 2] },
        mask: { shape: [2, 1, 2, 3] },
      },
    },
    ...attentions.map(attentionCase),
  ]),
  check(
    segmentedAttentionOp,
    packed.map(([[batch, groups, length, width], attributes, segments]) => ({
      attributes,
      inputs: {
        queries: { shape: [batch, groups, length * attributes.shared, width], range: [-2, 2] },
        keys: { shape: [batch, groups, length, width], range: [-2, 2] },
        values: { shape: [batch, groups, length, width] },
        segments: { shape: [batch, length], dtype: 'int32', values: segments },
      },
      // An engine may keep the probabilities in another form.
      build: ({ queries, keys, values, segments: segmentIds }) =>
        applyOp(segmentedAttentionOp, [queries!, keys!, values!, segmentIds!], attributes)[0]!,
    })),
  ),
  check(linearCrossEntropyOp, [
    {
      attributes: { chunk: 128 },
      inputs: { hidden: { shape: [3, 2] }, weight: { shape: [4, 2] }, labels: labels(0, 3, 1) },
    },
    {
      name: 'ignored labels',
      attributes: { chunk: 2 },
      inputs: {
        hidden: { shape: [5, 3], range: [-3, 3] },
        weight: { shape: [3, 3], range: [-3, 3] },
        labels: labels(-100, 2, -1, 0, -100),
      },
    },
    {
      name: 'no label at all',
      attributes: { chunk: 2 },
      inputs: {
        hidden: { shape: [3, 2] },
        weight: { shape: [3, 2] },
        labels: labels(-100, -100, -100),
      },
    },
    {
      name: 'one of one',
      attributes: { chunk: 1 },
      inputs: { hidden: { shape: [1, 1] }, weight: { shape: [1, 1] }, labels: labels(0) },
    },
    {
      name: 'label twice',
      attributes: { chunk: 2 },
      inputs: { hidden: { shape: [4, 2] }, weight: { shape: [5, 2] }, labels: labels(4, 4, 0, 4) },
    },
  ]),
  check(
    linearLogProbsOp,
    heads.map(([name, attributes, sizes, rows]) => ({
      name,
      attributes,
      inputs: headInputs(sizes, rows),
    })),
  ),
  check(
    linearLogProbsGradientOp,
    heads.flatMap(([name, attributes, sizes, rows]) =>
      [['u'], ['u', 'e', 'm']].map((upstream) => ({
        name: `${name}, ${upstream.length} arriving`,
        attributes,
        inputs: {
          ...headInputs(sizes, rows),
          ...Object.fromEntries(upstream.map((one) => [one, { shape: [rows.length] }])),
        },
      })),
    ),
  ),
];
