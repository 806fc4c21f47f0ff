// Chains and their links: what each does to the update, how they share state and scalars, and that
// an optimizer is pure. Whole optimizers are compared with their references in plugin trainer.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Optimizer, OptimizerSettings } from '@lmflow/sdk';
import { Graph, interpret, mul, ndarray, reshape, sum } from '@lmflow/sdk/graph';
import {
  addDecayedWeights,
  applyUpdate,
  chain,
  decayWeights,
  ema,
  scaleByLearningRate,
  scaleByMoments,
  trace,
  trackMoments,
  trackMomentsOfSum,
  type Transformation,
} from '../src/index.ts';
import { optimizers } from '../src/table.ts';

const SHAPE = [2, 2];
const PARAMETER = { name: 'p', shape: SHAPE };

interface Kept {
  parameter: number[];
  state: Record<string, number[]>;
  numbers: Readonly<Record<string, number>>;
}

interface StepRequest {
  readonly step?: number;
  readonly gradient?: readonly number[];
  readonly scale?: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
}

/** State before the first step. */
function begin(optimizer: Optimizer, parameter: readonly number[]): Kept {
  const state = Object.entries(optimizer.init(PARAMETER)).map(([name, { start, shape }]) => [
    name,
    start === 'parameter'
      ? [...parameter]
      : new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0),
  ]);
  return {
    parameter: [...parameter],
    state: Object.fromEntries(state) as Kept['state'],
    numbers: optimizer.numbers?.first ?? {},
  };
}

/** One step on the interpreter, in float64. */
function step(
  optimizer: Optimizer,
  kept: Kept,
  { step: number = 1, gradient = [1, 2, 3, 4], scale = 1, ...rates }: StepRequest = {},
): Kept {
  const { learningRate = 0.5, weightDecay = 0 } = rates;
  const facts = { step: number, learningRate, weightDecay, parameter: PARAMETER };
  const numbers = optimizer.numbers?.next({ ...facts, numbers: kept.numbers }) ?? {};
  const scalars = optimizer.scalars({ ...facts, numbers });
  const graph = new Graph();
  const input = (name: string, shape: readonly number[] = []) =>
    graph.input(name, 'float32', shape);
  const shapes = optimizer.init(PARAMETER);
  const summed = input('summed', SHAPE);
  const result = optimizer.update({
    parameter: input('parameter', SHAPE),
    gradient: mul(summed, input('scale')),
    summed,
    scale: input('scale'),
    decays: weightDecay > 0,
    state: Object.fromEntries(
      Object.keys(kept.state).map((name) => [name, input(`state:${name}`, shapes[name]!.shape)]),
    ),
    scalars: Object.fromEntries(Object.keys(scalars).map((name) => [name, input(name)])),
  });
  graph.output('parameter', result.parameter);
  for (const [name, value] of Object.entries(result.state)) graph.output(`state:${name}`, value);
  const found = interpret(graph, {
    parameter: ndarray(SHAPE, kept.parameter),
    summed: ndarray(SHAPE, gradient),
    scale: ndarray([], [scale]),
    ...Object.fromEntries(
      Object.entries(kept.state).map(([name, data]) => [
        `state:${name}`,
        ndarray(shapes[name]!.shape, data),
      ]),
    ),
    ...Object.fromEntries(Object.entries(scalars).map(([name, one]) => [name, ndarray([], [one])])),
  });
  return {
    numbers,
    parameter: [...found['parameter']!.data].map(Number),
    state: {
      ...kept.state,
      ...Object.fromEntries(
        Object.keys(result.state).map((name) => [
          name,
          [...found[`state:${name}`]!.data].map(Number),
        ]),
      ),
    },
  };
}

const near = (found: readonly number[], expected: readonly number[]): void => {
  found.forEach((number, index) => {
    assert.ok(
      Math.abs(number - expected[index]!) < 1e-6,
      `${index}: ${number}, ${expected[index]}`,
    );
  });
};
const settings: OptimizerSettings = { beta1: 0.5, beta2: 0.75, epsilon: 1e-8, arguments: {} };

test('the gradient goes through the links in order', () => {
  const plain = chain(scaleByLearningRate(), applyUpdate());
  near(step(plain, begin(plain, [1, 1, 1, 1])).parameter, [0.5, 0, -0.5, -1]);
  near(step(plain, begin(plain, [1, 1, 1, 1]), { scale: 2 }).parameter, [0, -1, -2, -3]);
  const scaled = chain(
    scaleByLearningRate(({ shape }) => shape.length),
    applyUpdate(),
  );
  near(step(scaled, begin(scaled, [1, 1, 1, 1])).parameter, [0, -1, -2, -3]);
});

test('decay in the gradient, apart from it, and after the update', () => {
  const rates = { weightDecay: 0.5, gradient: [1, 1, 1, 1] };
  const start = [1, 2, 3, 4];
  const after = (...links: readonly Transformation[]): number[] => {
    const optimizer = chain(...links);
    return step(optimizer, begin(optimizer, start), rates).parameter;
  };
  const rest = [scaleByLearningRate(), applyUpdate()];
  near(
    after(addDecayedWeights(), ...rest),
    start.map((p) => p - 0.5 * (1 + 0.5 * p)),
  );
  near(
    after(decayWeights(), ...rest),
    start.map((p) => 0.75 * p - 0.5),
  );
  near(
    after(
      ...rest,
      decayWeights((change) => 1 / (1 + change)),
    ),
    start.map((p) => (p - 0.5) / 1.25),
  );
});

test('a running mean and a running sum, both with a look ahead', () => {
  const twice = (link: Transformation): Kept => {
    const optimizer = chain(link, applyUpdate());
    const one = step(optimizer, begin(optimizer, [0, 0, 0, 0]), { gradient: [4, 4, 4, 4] });
    return step(
      optimizer,
      { ...one, parameter: [0, 0, 0, 0] },
      { step: 2, gradient: [8, 8, 8, 8] },
    );
  };
  const mean = twice(ema('mean', 0.5));
  near(mean.parameter, [-5, -5, -5, -5]);
  near(mean.state['mean']!, [5, 5, 5, 5]);
  near(twice(ema('mean', 0.5, { nesterov: true })).parameter, [-6.5, -6.5, -6.5, -6.5]);
  const sum = twice(trace({ momentum: 0.5, dampening: 0.25, nesterov: false }));
  near(sum.state['momentum_buffer']!, [8, 8, 8, 8]);
  near(sum.parameter, [-8, -8, -8, -8]);
  const ahead = twice(trace({ momentum: 0.5, dampening: 0, nesterov: true }));
  near(ahead.parameter, [-13, -13, -13, -13]);
});

test('a link sees the state that the links before it wrote', () => {
  const adam = chain(trackMoments(settings), scaleByMoments(settings), applyUpdate());
  // The first quotient is the sign of the gradient, whatever its size.
  const one = step(adam, begin(adam, [0, 0, 0, 0]), {
    gradient: [1, -2, 3, -4],
    learningRate: 0.1,
  });
  near(one.parameter, [-0.1, 0.1, -0.1, 0.1]);
  assert.equal(Object.keys(one.state), ['exp_avg', 'exp_avg_sq']);
  near(one.state['exp_avg_sq']!, [0.25, 1, 2.25, 4]);
});

test('moments of a sum are those of the scaled gradient', () => {
  const [scaled, sum] = [trackMoments(settings), trackMomentsOfSum(settings)].map((link) => {
    const optimizer = chain(link, applyUpdate());
    return step(optimizer, begin(optimizer, [0, 0, 0, 0]), { scale: 0.25 });
  });
  near(sum!.parameter, scaled!.parameter);
  near(sum!.state['exp_avg_sq']!, scaled!.state['exp_avg_sq']!);
});

test('numbers of links are merged; a name that means two things is refused', () => {
  const counting = (name: string): Transformation => ({
    numbers: { first: { [name]: 0 }, next: ({ numbers }) => ({ [name]: numbers[name]! + 1 }) },
    scalars: ({ numbers }) => ({ [name]: numbers[name]! }),
    update: ({ update, scalars }) => ({ update: mul(update, scalars[name]!) }),
  });
  const both = chain(counting('a'), counting('b'), applyUpdate());
  let kept = begin(both, [0, 0, 0, 0]);
  assert.equal(kept.numbers, { a: 0, b: 0 });
  for (const number of [1, 2, 3]) {
    kept = step(both, { ...kept, parameter: [0, 0, 0, 0] }, { step: number });
  }
  assert.equal(kept.numbers, { a: 3, b: 3 });
  near(kept.parameter, [-9, -18, -27, -36]);
  const clash = chain(ema('mean', 0.5), ema('other', 0.25), applyUpdate());
  assert.throws(() => step(clash, begin(clash, [0, 0, 0, 0])), /use the name "decay"/);
  const twice = chain(ema('mean', 0.5), ema('mean', 0.5), applyUpdate());
  assert.throws(() => twice.init(PARAMETER), /use the name "mean"/);
});

test('a link may look at the whole tensor', () => {
  const whole: Transformation = {
    update: ({ update }) => ({ update: mul(update, reshape(sum(update), [1, 1])) }),
  };
  const optimizer = chain(whole, applyUpdate());
  near(step(optimizer, begin(optimizer, [0, 0, 0, 0])).parameter, [-10, -20, -30, -40]);
});

for (const row of optimizers) {
  test(`${row.name} is pure: the same step twice gives the same`, () => {
    const make = (): Optimizer =>
      row.make({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, arguments: row.arguments ?? {} });
    const [one, other] = [make(), make()];
    let [kept, again] = [begin(one, [1, 2, 3, 4]), begin(other, [1, 2, 3, 4])];
    for (const number of [1, 2, 3]) {
      const before = structuredClone(kept);
      const rates = { step: number, learningRate: 0.01, weightDecay: 0.1 };
      const first = step(one, kept, rates);
      assert.equal(kept, before);
      assert.equal(step(one, kept, rates), first);
      [kept, again] = [first, step(other, again, rates)];
      assert.equal(again, kept);
    }
    assert.ok(kept.parameter.every((number, index) => number !== index + 1));
  });
}

test.run();
