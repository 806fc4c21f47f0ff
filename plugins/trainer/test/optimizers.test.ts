// Optimizers against torch.optim, in flat chunks and as programs of whole tensors; options and
// names; schedules against transformers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, type OptimizerRow } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import {
  broadcastTo,
  div,
  Graph,
  mul,
  sqrt,
  sub,
  sum,
  transpose,
  type Value,
} from '@lmflow/sdk/graph';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import { CHUNK } from '../src/update/chunks.ts';
import { inPlaceInputs, isElementwise, nextOf } from '../src/update/elementwise.ts';
import { trainerAliases, trainerOptions, type TrainerInput } from '../src/options.ts';
import { learningRateOf } from '../src/loop/learning-rate.ts';
import { refusedOptions } from '../src/refused-options.ts';
import { Updater } from '../src/update/updater.ts';
import { interpreterEngine, noise, OPTIMIZER_ROWS, SCHEDULE_ROWS } from './kit.ts';

const adamw = OPTIMIZER_ROWS.get('adamw_torch')!;

const reference = <T>(name: string): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'reference', name), 'utf8')) as T;

interface OptimizerCase {
  readonly start: number[];
  readonly shape: number[];
  readonly options: TrainerInput;
  readonly steps: readonly {
    readonly learningRate: number;
    readonly gradient: number[];
    readonly parameter: number[];
  }[];
}

/** The same update, but with an op that is not elementwise. */
const asWhole = (row: OptimizerRow): OptimizerRow => ({
  ...row,
  make: (settings) => {
    const optimizer = row.make(settings);
    const whole = (x: Value): Value => transpose(transpose(x, [1, 0]), [1, 0]);
    return {
      ...optimizer,
      update: (values) =>
        optimizer.update({
          ...values,
          gradient: whole(values.gradient),
          summed: whole(values.summed),
        }),
    };
  },
});

for (const [name, { start, shape, options, steps }] of Object.entries(
  reference<Record<string, OptimizerCase>>('optimizers.json'),
)) {
  for (const way of ['chunks', 'whole tensors']) {
    test(`${name} takes the steps of torch.optim, in ${way}`, async () => {
      const parsed = trainerOptions.parse(options);
      const row = OPTIMIZER_ROWS.get(parsed.optim)!;
      const engine = interpreterEngine();
      const updater = new Updater(way === 'chunks' ? row : asWhole(row), engine, parsed);
      const parameter: Parameter = {
        name: 'p',
        shape,
        data: Float32Array.from(start),
        decay: true,
      };
      for (const { learningRate, gradient, parameter: expected } of steps) {
        const gradients = new Map([['p', Float32Array.from(gradient, (number) => 4 * number)]]);
        await updater.apply({
          parameters: [parameter],
          gradients,
          gradientScale: 0.25,
          learningRate,
        });
        expected.forEach((number, index) => {
          assert.ok(
            Math.abs(parameter.data[index]! - number) < 2e-6,
            `${index}: ${parameter.data[index]} and ${number}`,
          );
        });
      }
      assert.equal(
        engine.everCompiled.map((program) => program.split(' #')[0]),
        [`${row.name} [${way === 'chunks' ? 64 : shape.join()}]`],
      );
      await updater.dispose();
      assert.is(engine.compiled.size, 0);
    });
  }
}

test('weight decay spares parameters without it; learningRateScale multiplies the rate, learningRate replaces its top', async () => {
  const make = (extra: Partial<Parameter>): Parameter => ({
    name: 'p',
    shape: [2],
    data: Float32Array.of(1, 1),
    decay: true,
    ...extra,
  });
  const after = async (parameter: Parameter, learningRate = 0.25, now = 0.125): Promise<number> => {
    const updater = new Updater(
      OPTIMIZER_ROWS.get('sgd')!,
      interpreterEngine(),
      trainerOptions.parse({ weightDecay: 0.5, learningRate }),
    );
    await updater.apply({
      parameters: [parameter],
      gradients: new Map([['p', Float32Array.of(1, 1)]]),
      gradientScale: 1,
      learningRate: now,
    });
    return parameter.data[0]!;
  };
  assert.is(await after(make({})), 1 - 0.125 * 1.5);
  assert.is(await after(make({ decay: false })), 1 - 0.125);
  assert.is(await after(make({ learningRateScale: 4 })), 1 - 0.5 * 1.5);
  assert.is(await after(make({ learningRate: 1 })), 1 - 0.5 * 1.5, 'half of it, as of the run');
  assert.is(await after(make({ learningRate: 1 }), 0, 0), 1, 'a run that changes nothing');
});

test('an optimizer that is not elementwise runs in the engine, with its state', async () => {
  const normalised: OptimizerRow = {
    name: 'normalised',
    make: () => ({
      init: () => ({ last: { shape: [1] } }),
      scalars: ({ learningRate }) => ({ learningRate }),
      update: ({ parameter, gradient, scalars }) => {
        const norm = sqrt(sum(mul(gradient, gradient)));
        return {
          parameter: sub(parameter, mul(div(gradient, norm), scalars['learningRate']!)),
          state: { last: broadcastTo(norm, [1]) },
        };
      },
    }),
  };
  const engine = interpreterEngine();
  const updater = new Updater(normalised, engine, trainerOptions.parse({}));
  const parameter = { name: 'p', shape: [2], data: Float32Array.of(1, 2), decay: true };
  await updater.apply({
    parameters: [parameter],
    gradients: new Map([['p', Float32Array.of(3, 4)]]),
    gradientScale: 2,
    learningRate: 0.5,
  });
  assert.equal([...parameter.data], [...Float32Array.of(1 - 0.3, 2 - 0.4)]);
  assert.equal([...updater.save().get('p.last')!.data], [10]);
  assert.equal([...updater.save().get('p.step')!.data], [1]);
});

test('state goes into another updater and back; what is missing is named', async () => {
  const parsed = trainerOptions.parse({});
  const parameter = (): Parameter => ({ name: 'p', shape: [8], data: noise(8, 1), decay: true });
  const [first, one] = [new Updater(adamw, interpreterEngine(), parsed), parameter()];
  const step = async (updater: Updater, target: Parameter, seed: number): Promise<void> =>
    updater.apply({
      parameters: [target],
      gradients: new Map([['p', noise(8, seed)]]),
      gradientScale: 1,
      learningRate: 0.1,
    });
  await step(first, one, 2);
  const [second, other] = [
    new Updater(adamw, interpreterEngine(), parsed),
    { ...parameter(), data: one.data.slice() },
  ];
  assert.equal(await second.restore([other], first.save()), []);
  await step(first, one, 3);
  await step(second, other, 3);
  assert.equal([...one.data], [...other.data]);
  const saved = first.save();
  saved.delete('p.exp_avg_sq');
  assert.equal(await new Updater(adamw, interpreterEngine(), parsed).restore([other], saved), [
    'p.exp_avg_sq',
  ]);
});

test('elementwise programs are known, and what may be written over its input', () => {
  const graph = new Graph();
  const [x, y] = [graph.input('x', 'float32', [4]), graph.input('y', 'float32', [4])];
  const next = sub(mul(x, -2), graph.input('s', 'float32', []));
  graph.output(nextOf('x'), next);
  graph.output(nextOf('y'), mul(next, y));
  assert.ok(isElementwise(graph));
  assert.equal([...inPlaceInputs(graph)], ['x', 'y']);
  graph.output('x again', mul(x, 3)); // may run after next:x is there
  assert.equal([...inPlaceInputs(graph)], ['y']);
  for (const factor of [
    (z: Value) => sum(z),
    (_: Value, other: Graph) => other.constant(Float32Array.of(1, 2, 3, 4), [4], 'float32'),
    (z: Value) => transpose(z, [0]),
  ]) {
    const other = new Graph();
    const z = other.input('z', 'float32', [4]);
    other.output(nextOf('z'), mul(z, factor(z, other)));
    assert.not.ok(isElementwise(other));
  }
});

test('tensors larger than a chunk and small ones with other scalars, by the onnx engine, in place', async () => {
  const { kernel } = await createTestKernel({ plugins: [engineOnnx()] });
  const parsed = trainerOptions.parse({ weightDecay: 0.1 });
  const make = (name: string, length: number, decay: boolean): Parameter => ({
    name,
    shape: [length],
    data: noise(length, length),
    decay,
  });
  const parameters = [
    make('large', 2 * CHUNK + 1000, true),
    make('small', 700, true),
    make('bias', 5, false),
    make('last', CHUNK - 1, true),
  ];
  const expected = parameters.map(({ data }) => ({
    parameter: Float64Array.from(data),
    mean: new Float64Array(data.length),
    square: new Float64Array(data.length),
  }));
  const updater = new Updater(adamw, kernel.resolve(ENGINE), parsed);
  for (let step = 1; step <= 3; step++) {
    const gradients = new Map(
      parameters.map(({ name, data }) => [name, noise(data.length, 17 * step + data.length)]),
    );
    await updater.apply({ parameters, gradients, gradientScale: 0.5, learningRate: 0.01 });
    parameters.forEach(({ name, decay }, index) => {
      const { parameter, mean, square } = expected[index]!;
      gradients.get(name)!.forEach((raw, place) => {
        const gradient = 0.5 * raw;
        mean[place] = 0.9 * mean[place]! + 0.1 * gradient;
        square[place] = 0.999 * square[place]! + 0.001 * gradient * gradient;
        parameter[place] =
          parameter[place]! * (decay ? 1 - 0.001 : 1) -
          (0.01 * mean[place]) /
            (1 - 0.9 ** step) /
            (Math.sqrt(square[place] / (1 - 0.999 ** step)) + 1e-8);
      });
    });
  }
  parameters.forEach(({ name, data }, index) => {
    const most = data.reduce(
      (largest, number, place) =>
        Math.max(largest, Math.abs(number - expected[index]!.parameter[place]!)),
      0,
    );
    assert.ok(most < 1e-6, `${name}: ${most}`);
  });
  await updater.dispose();
  await kernel.close();
});

interface ScheduleCase {
  readonly name: string;
  readonly totalSteps: number;
  readonly warmupSteps: number;
  readonly arguments: Record<string, unknown>;
  readonly learningRates: number[];
}

for (const { name, totalSteps, warmupSteps, arguments: given, learningRates } of reference<
  ScheduleCase[]
>('schedules.json')) {
  test(`schedule ${name} ${JSON.stringify(given)}, ${warmupSteps} warmup steps: the rates of transformers`, () => {
    const rate = learningRateOf(SCHEDULE_ROWS, {
      name,
      totalSteps,
      warmupSteps,
      learningRate: 1e-3,
      kwargs: given,
    });
    learningRates.forEach((expected, step) => {
      assert.ok(
        Math.abs(rate(step) - expected) < 1e-15,
        `step ${step}: ${rate(step)} and ${expected}`,
      );
    });
  });
}

test('a schedule says what is wrong with its arguments', () => {
  const make =
    (name: string, kwargs: Record<string, unknown>, learningRate = 1e-3) =>
    (): unknown =>
      learningRateOf(SCHEDULE_ROWS, { name, totalSteps: 10, warmupSteps: 0, learningRate, kwargs });
  const fails = (run: () => unknown, code: string, text: RegExp): void => {
    assert.throws(
      run,
      (error: Error & { code: string }) => error.code === code && text.test(error.message),
    );
  };
  fails(make('cosin', {}), 'LMFLOW_CONFIG_SCHEDULE', /did you mean "cosine"/);
  fails(make('reduce_lr_on_plateau', {}), 'LMFLOW_CONFIG_SCHEDULE', /depends on the step alone/);
  fails(make('linear', { num_cycles: 1 }), 'LMFLOW_CONFIG_SCHEDULE_ARGUMENT', /num_cycles/);
  fails(
    make('cosine', { num_cycles: 'two' }),
    'LMFLOW_CONFIG_SCHEDULE_ARGUMENT',
    /must be a number/,
  );
  fails(make('cosine_with_min_lr', {}), 'LMFLOW_CONFIG_SCHEDULE_ARGUMENT', /either/);
  fails(
    make('cosine_with_min_lr', { min_lr: 1e-6 }, 0),
    'LMFLOW_CONFIG_SCHEDULE_ARGUMENT',
    /above 0/,
  );
  fails(make('polynomial', {}, 1e-8), 'LMFLOW_CONFIG_SCHEDULE_ARGUMENT', /smaller/);
  fails(
    make('warmup_stable_decay', { numDecaySteps: 2, decayType: 'round' }),
    'LMFLOW_CONFIG_SCHEDULE_ARGUMENT',
    /one of linear/,
  );
  assert.type(make('cosine', { numCycles: 2 })(), 'function');
});

test('every name of TrainingArguments is an option, or refused with a reason', () => {
  const core = ['outputDir', 'seed', 'gradientCheckpointing']; // the last is another plugin's section
  for (const name of reference<string[]>('arguments.json')) {
    assert.ok(core.includes(name) || name in trainerOptions.shape || name in refusedOptions, name);
  }
  for (const name of Object.keys(refusedOptions)) {
    assert.not.ok(name in trainerOptions.shape, name);
  }
  for (const [alias, key] of Object.entries(trainerAliases)) {
    assert.ok(key in trainerOptions.shape && !(alias in trainerOptions.shape), alias);
  }
  for (const [name, field] of Object.entries(trainerOptions.shape)) {
    assert.ok(field.description, name);
  }
});

test.run();
