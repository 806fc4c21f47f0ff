// Flash attention against the sdk's plain attention and finite differences, on the interpreter.
import { test } from 'uvu';
import { attention, type AttentionOptions, type Value } from '@lmflow/sdk/graph';
import { createTestKernel } from 'lmflow/testing';
import { ENGINE } from '@lmflow/sdk';
import {
  checkGradient,
  checkOp,
  checkOpLowering,
  compareArrays,
  randomInputs,
  type TestInputs,
} from '@lmflow/sdk/testing';
import { grad, Graph, interpret, mul, sum, type NdArray } from '@lmflow/sdk/graph';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import plugin, {
  flashAttention,
  flashAttentionGradientOp,
  flashAttentionOp,
} from '../src/index.ts';
import { modelsInPlace } from './models.ts';

interface Case {
  readonly name: string;
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly groups: number;
  readonly tile: number;
  readonly window?: number;
  readonly segments?: readonly number[];
}

const cases: readonly Case[] = [
  { name: 'one head, one tile', batch: 1, length: 5, heads: 1, groups: 1, tile: 8 },
  { name: 'several tiles', batch: 2, length: 8, heads: 2, groups: 2, tile: 2 },
  {
    name: 'grouped heads, tile does not divide',
    batch: 2,
    length: 7,
    heads: 4,
    groups: 2,
    tile: 3,
  },
  { name: 'one token', batch: 1, length: 1, heads: 2, groups: 1, tile: 4 },
  { name: 'window within a tile', batch: 1, length: 11, heads: 2, groups: 1, tile: 4, window: 2 },
  { name: 'window of one', batch: 1, length: 5, heads: 1, groups: 1, tile: 2, window: 1 },
  { name: 'window over tiles', batch: 1, length: 13, heads: 2, groups: 2, tile: 3, window: 5 },
  { name: 'window of a tile', batch: 1, length: 12, heads: 1, groups: 1, tile: 4, window: 4 },
  {
    name: 'window beyond a tile by one',
    batch: 1,
    length: 12,
    heads: 1,
    groups: 1,
    tile: 4,
    window: 5,
  },
  {
    name: 'segments',
    batch: 2,
    length: 6,
    heads: 2,
    groups: 1,
    tile: 2,
    segments: [1, 1, 2, 2, 2, 0, 1, 2, 2, 3, 3, 3],
  },
  {
    name: 'segments and window',
    batch: 1,
    length: 9,
    heads: 2,
    groups: 1,
    tile: 4,
    window: 3,
    segments: [1, 1, 1, 1, 1, 2, 2, 2, 2],
  },
];

const range = [-2, 2] as const;

function inputsOf({ batch, length, heads, groups, segments }: Case, width = 2): TestInputs {
  return {
    q: { shape: [batch, length, heads, width], range },
    k: { shape: [batch, length, groups, width], range },
    v: { shape: [batch, length, groups, width], range },
    ...(segments
      ? { segments: { dtype: 'int32' as const, shape: [batch, length], values: segments } }
      : {}),
  };
}

type Attend = (inputs: Pick<AttentionOptions, 'q' | 'k' | 'v' | 'segments' | 'window'>) => Value;

function results(one: Case, attend: Attend): Record<string, NdArray> {
  const graph = new Graph();
  const inputs = inputsOf(one, 3);
  const [q, k, v] = (['q', 'k', 'v'] as const).map((name) =>
    graph.input(name, 'float32', inputs[name]!.shape),
  ) as [Value, Value, Value];
  const segments = one.segments && graph.input('segments', 'int32', [one.batch, one.length]);
  const result = attend({ q, k, v, segments, window: one.window });
  const weights = graph.input('weights', 'float32', result.shape);
  graph.output('result', result);
  grad(sum(mul(result, weights)), [q, k, v]).forEach((gradient, index) => {
    graph.output(['dq', 'dk', 'dv'][index]!, gradient);
  });
  return interpret(graph, randomInputs({ ...inputs, weights: { shape: result.shape } }, 1));
}

for (const one of cases) {
  test(`${one.name}: equal to plain attention, with its gradients`, () => {
    const expected = results(one, attention);
    const found = results(one, (inputs) => flashAttention({ ...inputs, tile: one.tile }));
    for (const [name, array] of Object.entries(expected)) {
      compareArrays(found[name]!, array, {
        what: name,
        sides: ['flash', 'plain'],
        tolerance: 1e-6,
      });
    }
  });

  test(`${one.name}: gradients agree with finite differences`, () => {
    checkGradient(
      ({ q, k, v, segments }) =>
        flashAttention({ q: q!, k: k!, v: v!, segments, window: one.window, tile: one.tile }),
      inputsOf(one),
    );
  });
}

test('the engine, with loops over the tiles: equal to the decomposition, with its gradients', async () => {
  const { kernel } = await createTestKernel({ plugins: [engineOnnx, modelsInPlace, plugin] });
  await checkOpLowering(kernel.resolve(ENGINE), {
    op: flashAttentionOp,
    cases: cases.map((one) => ({
      name: one.name,
      inputs: inputsOf(one),
      build: ({ q, k, v, segments }) =>
        flashAttention({ q: q!, k: k!, v: v!, segments, window: one.window, tile: one.tile }),
    })),
  });
  await kernel.close();
});

test("the ops pass the kit: types, and the own gradient is the decomposition's", () => {
  const attributes = { tile: 2, window: 3 };
  const [q, k, v] = [
    { shape: [1, 2, 10, 2], range },
    { shape: [1, 2, 5, 2], range },
    { shape: [1, 2, 5, 2], range },
  ];
  checkOp({
    op: flashAttentionOp,
    cases: [
      { attributes, inputs: { q, k, v } },
      {
        attributes,
        inputs: { q, k, v, segments: { dtype: 'int32', shape: [1, 5], values: [1, 1, 1, 2, 2] } },
      },
    ],
  });
  const column = { shape: [1, 2, 10, 1] };
  checkOp({
    op: flashAttentionGradientOp,
    cases: [
      {
        attributes,
        inputs: { q, k, v, gradient: q, sums: { ...column, range: [1, 3] }, along: column },
      },
    ],
  });
});

test('scores far from zero neither overflow nor vanish', () => {
  const run = (attend: Attend): NdArray => {
    const graph = new Graph();
    const [q, k, v] = ['q', 'k', 'v'].map((name) => graph.input(name, 'float32', [1, 6, 1, 2])) as [
      Value,
      Value,
      Value,
    ];
    graph.output('result', attend({ q: mul(q, 1000), k: mul(k, 50), v }));
    return interpret(
      graph,
      randomInputs({
        q: { shape: [1, 6, 1, 2] },
        k: { shape: [1, 6, 1, 2] },
        v: { shape: [1, 6, 1, 2] },
      }),
    )['result']!;
  };
  compareArrays(
    run((inputs) => flashAttention({ ...inputs, tile: 2 })),
    run(attention),
    { what: 'result', sides: ['flash', 'plain'], tolerance: 1e-6 },
  );
});

test.run();
