// Every optimizer's 20 steps against its reference (see reference/make_optimizers.py), in chunks
// and as whole tensors, interpreted and by the onnx engine; arguments; 8 bits; saving.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, type OptimizerRow } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import { dynamicMap } from '@lmflow/sdk/formats';
import { reshape, sizeOf, type Value } from '@lmflow/sdk/graph';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import { EightBitTensor } from '../src/update/eight-bit-state.ts';
import { optimizerArguments } from '../src/update/optimizer-arguments.ts';
import { trainerOptions, type TrainerInput } from '../src/options.ts';
import { Updater } from '../src/update/updater.ts';
import {
  bitsOf,
  codeOf,
  fit,
  interpreterEngine,
  OPTIMIZER_ROWS,
  temporaryFolder,
  tinySamples,
  type RunOutcome,
} from './kit.ts';

interface Case {
  readonly name: string;
  readonly shape: number[];
  readonly options: TrainerInput;
  /** What the gradients of an estimate of the curvature are a mean over. */
  readonly weight: number;
  readonly steps: Readonly<
    Record<string, { readonly parameter: number[]; readonly evaluation?: number[] }>
  >;
}

const cases = JSON.parse(
  readFileSync(join(import.meta.dirname, 'reference', 'optimizers-20.json'), 'utf8'),
) as Record<string, Case>;
const numbers = (shape: readonly number[], seed: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, index) =>
    Math.sin(12.9898 * (index + 1) + 78.233 * (seed + 1)),
  );
const { kernel } = await createTestKernel({ plugins: [engineOnnx()] });
const whole = ['adafactor', 'lamb', 'muon, original'];

/** The same update with an op that is not elementwise. */
const asWhole = (row: OptimizerRow): OptimizerRow => ({
  ...row,
  make: (settings) => {
    const optimizer = row.make(settings);
    const whole = (x: Value): Value => reshape(reshape(x, [sizeOf(x.shape), 1]), x.shape);
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

const close = (found: Float32Array, expected: readonly number[], what: string): void => {
  expected.forEach((number, index) => {
    assert.ok(
      Math.abs(found[index]! - number) < 3e-6,
      `${what}, ${index}: ${found[index]} and ${number}`,
    );
  });
};

for (const [title, { name, shape, options, weight, steps }] of Object.entries(cases)) {
  const inChunks = !whole.some((start) => title.startsWith(start)) && title !== 'muon';
  const isEightBit = options.optim === 'adamw_8bit'; // always in chunks
  for (const way of [
    ...(inChunks ? ['chunks', 'onnx chunks'] : []),
    ...(isEightBit ? [] : ['whole tensors', 'onnx whole tensors']),
  ]) {
    test(`${title}: 20 steps of its reference, ${way}`, async () => {
      const parsed = trainerOptions.parse(options);
      const row = OPTIMIZER_ROWS.get(parsed.optim)!;
      const interpreter = interpreterEngine();
      const engine = way.startsWith('onnx') ? kernel.resolve(ENGINE) : interpreter;
      const make = (): Updater =>
        new Updater(inChunks && way.endsWith('tensors') ? asWhole(row) : row, engine, parsed);
      let updater = make();
      const parameter: Parameter = { name, shape, data: numbers(shape, 0), decay: true };
      for (let step = 1; step <= 20; step++) {
        // Given as sums, so that the mean is taken too.
        if (updater.estimatesAt(step)) {
          await updater.estimate({
            parameters: [parameter],
            gradients: new Map([[name, numbers(shape, 100 + step).map((one) => one * weight)]]),
            gradientScale: 1 / weight,
            weight,
          });
        }
        await updater.apply({
          parameters: [parameter],
          gradients: new Map([[name, numbers(shape, step)]]),
          gradientScale: 1,
          learningRate: 0.02 * (1 - (step - 1) / 20),
        });
        const expected = steps[step];
        if (!expected) continue;
        close(parameter.data, expected.parameter, `step ${step}`);
        const trained = parameter.data.slice();
        await updater.withEvaluationWeights(
          [parameter],
          () => undefined,
          async () => {
            close(parameter.data, expected.evaluation ?? expected.parameter, `evaluation ${step}`);
            if (step !== 10) return;
            // Everything goes on from what is saved, bit for bit.
            const saved = new Map(
              [...updater.save()].map(([key, { data }]) => [key, { data: data.slice() }]),
            );
            await updater.dispose();
            updater = make();
            assert.equal(await updater.restore([parameter], saved), []);
            assert.equal(parameter.data, trained);
          },
        );
        assert.equal(parameter.data, trained);
      }
      if (engine === interpreter) {
        assert.ok(
          interpreter.everCompiled
            .find((key) => !key.includes('curvature'))!
            .startsWith(
              `${row.name} [${way === 'chunks' ? 2 ** Math.max(6, Math.ceil(Math.log2(sizeOf(shape)))) : shape.join()}]`,
            ),
          interpreter.everCompiled.join(),
        );
      }
      await updater.dispose();
    });
  }
}

test('moments in 8 bits take one byte, and the map is the one of bitsandbytes', async () => {
  const [signed, unsigned] = [dynamicMap(true), dynamicMap(false)];
  for (const map of [signed, unsigned]) assert.is(new Set(map).size, 256);
  assert.ok(
    Math.abs(signed[0]! + 0.9929687) < 1e-6 &&
      signed[127] === 0 &&
      signed[255] === 1 &&
      unsigned[0] === 0 &&
      unsigned[255] === 1,
  );
  const tensor = new EightBitTensor(300, 'signed');
  const values = numbers([300], 3);
  tensor.write(0, values);
  assert.is(tensor.codes.byteLength, 300);
  assert.is(tensor.scales.length, 2);
  const read = new Float32Array(300);
  tensor.read(0, read);
  values.forEach((value, index) => {
    assert.ok(
      Math.abs(read[index]! - value) < 0.02 && Math.sign(read[index]!) === Math.sign(value),
      `${value} ${read[index]}`,
    );
  });
  const parameter: Parameter = {
    name: 'p',
    shape: [100, 100],
    data: new Float32Array(10_000),
    decay: true,
  };
  const bytes = (optim: string): number =>
    new Updater(
      OPTIMIZER_ROWS.get(optim)!,
      interpreterEngine(),
      trainerOptions.parse({ optim }),
    ).stateBytes([parameter]);
  assert.is(bytes('adamw_torch'), 80_000);
  assert.ok(bytes('adamw_8bit') < 20_500, String(bytes('adamw_8bit')));
});

test('float32 numbers get the nearest code of the map', () => {
  const lowers = [0, 1, 0x7fff, 0xffff];
  for (const kind of ['signed', 'unsigned'] as const) {
    const map = dynamicMap(kind === 'signed');
    const uppers = Array.from(
      { length: kind === 'signed' ? 1 << 16 : 1 << 15 },
      (_, upper) => upper,
    );
    const all = new Float32Array(
      Uint32Array.from(uppers.flatMap((upper) => lowers.map((lower) => upper * 65_536 + lower)))
        .buffer,
    ).filter((value) => Math.abs(value) <= 1);
    // Each block begins with 1, by which it is divided.
    const blocks = Math.ceil(all.length / 255);
    const values = Float32Array.from({ length: blocks * 256 }, (_, index) =>
      index % 256 === 0 ? 1 : (all[(index >> 8) * 255 + (index % 256) - 1] ?? 0),
    );
    const tensor = new EightBitTensor(values.length, kind);
    tensor.write(0, values);
    const wrong = values.findIndex((value, index) => {
      const code = tensor.codes[index]!;
      const distance = (other: number): number => Math.abs((map[other] ?? Infinity) - value);
      if (kind === 'signed' && value < 0 && code >= map.indexOf(0) - 1)
      // keeps its sign
      {
        return code !== map.indexOf(0) - 1 || map[code - 1]! + map[code]! > 2 * value;
      }
      return distance(code) > distance(code - 1) || distance(code) > distance(code + 1);
    });
    assert.is(wrong, -1, `${kind}: ${values[wrong]} has the code ${tensor.codes[wrong]}`);

    const read = new Float32Array(512);
    const broken = Float32Array.from({ length: 512 }, (_, index) => (index === 300 ? NaN : index));
    tensor.write(0, broken);
    tensor.read(0, read);
    assert.ok(
      read.subarray(256).every(Number.isNaN) &&
        read.subarray(0, 256).every((value, index) => Math.abs(value - index) < 4),
      'a block with NaN is NaN',
    );
  }
});

test('an inactive parameter has no state', async () => {
  const parameter: Parameter = { name: 'p', shape: [2], data: Float32Array.of(1, 2), decay: true };
  const updater = new Updater(
    OPTIMIZER_ROWS.get('adamw_torch')!,
    interpreterEngine(),
    trainerOptions.parse({}),
  );
  await updater.apply({
    parameters: [parameter],
    gradients: new Map([['p', Float32Array.of(1, 1)]]),
    gradientScale: 1,
    learningRate: 0.1,
  });
  assert.is(updater.save().size, 3);
  parameter.active = false;
  assert.is(updater.stateBytes([parameter]), 0);
  await updater.apply({
    parameters: [parameter],
    gradients: new Map(),
    gradientScale: 1,
    learningRate: 0.1,
  });
  assert.is(updater.save().size, 0);
});

test('optimArgs are checked', () => {
  const given = (optim: string, optimArgs: TrainerInput['optimArgs']): unknown =>
    optimizerArguments(OPTIMIZER_ROWS.get(optim)!, trainerOptions.parse({ optim, optimArgs }));
  assert.equal(given('sgd', 'momentum=0.5'), { momentum: 0.5, dampening: 0, nesterov: false });
  assert.equal(given('muon', { nsSteps: 3 }), {
    momentum: 0.95,
    nesterov: true,
    ns_steps: 3,
    eps: 1e-7,
    adjust_lr_fn: 'match_rms_adamw',
  });
  for (const [optim, text, message] of [
    ['sgd', 'momentum=-1', /momentum must be at least 0 and below 1, not "-1"/],
    ['sgd', 'momentum=2', /momentum/],
    ['sgd', 'dampening=2', /dampening/],
    ['sgd', 'nesterov=true', /nesterov needs a momentum above 0/],
    ['sgd', 'momentum=0.9,nesterov=true,dampening=0.1', /nesterov/],
    ['sgd', 'momentum=0.5,momentum=0.6', /momentum is given twice/],
    ['muon', { nsSteps: 3, ns_steps: 4 }, /ns_steps is given twice/],
    ['muon', 'momentum=1.5', /momentum/],
    ['muon', 'ns_steps=0', /ns_steps must be a whole number, at least 1 and below 100, not "0"/],
    ['muon', 'ns_steps=2.5', /ns_steps/],
    ['muon', 'eps=-1', /eps/],
    ['adan', 'beta1=2', /beta1/],
    ['adan', 'beta3=1', /beta3/],
    ['sophia', 'rho=-1', /rho must be at least 0/],
    ['sophia', 'beta2=1', /beta2/],
    ['sophia', 'k=0', /k must be a whole number, at least 1/],
    ['adafactor', 'decay_rate=3', /decay_rate must be at most 0/],
    ['adafactor', 'clip_threshold=0', /clip_threshold must be above 0/],
    ['adafactor', 'beta1=1', /beta1/],
    ['schedule_free_adamw', 'weight_lr_power=-2', /weight_lr_power/],
    ['nadam', 'momentum_decay=-1', /momentum_decay/],
    ['adamw_8bit', 'min_8bit_size=-1', /min_8bit_size/],
  ] as const) {
    assert.throws(
      () => given(optim, text),
      (error: Error & { code: string }) =>
        error.code === 'LMFLOW_CONFIG_OPTIMIZER_ARGUMENT' && message.test(error.message),
      JSON.stringify(text),
    );
  }
  assert.equal(given('sgd', { momentum: 0.9, nesterov: true }), {
    momentum: 0.9,
    dampening: 0,
    nesterov: true,
  });
  for (const [optim, text] of [
    ['sgd', 'speed=1'],
    ['sgd', 'momentum'],
    ['sgd', 'momentum=much'],
    ['sgd', 'nesterov=1'],
    ['muon', 'adjust_lr_fn=other'],
    ['adamw_torch', 'beta1=0.9'],
  ] as const) {
    assert.throws(
      () => given(optim, text),
      (error: { code: string }) => error.code === 'LMFLOW_CONFIG_OPTIMIZER_ARGUMENT',
      text,
    );
  }
});

test('adamBeta1, adamBeta2 and adamEpsilon are read, or refused where they are set', () => {
  let refused = 0;
  for (const [optim, row] of OPTIMIZER_ROWS) {
    const scalars = (given: TrainerInput): Readonly<Record<string, number>> => {
      const options = trainerOptions.parse({ optim, ...given });
      const optimizer = row.make({
        beta1: options.adamBeta1,
        beta2: options.adamBeta2,
        epsilon: options.adamEpsilon,
        arguments: optimizerArguments(row, options),
      });
      return optimizer.scalars({
        step: 7,
        learningRate: 0.1,
        weightDecay: 0.1,
        parameter: { name: 'p', shape: [2] },
        numbers: { ...optimizer.numbers?.first },
      });
    };
    for (const name of ['adamBeta1', 'adamBeta2', 'adamEpsilon'] as const) {
      try {
        assert.not.equal(scalars({ [name]: 0.5 }), scalars({}), `${optim} ${name}`);
      } catch (error) {
        if ((error as { code?: string }).code !== 'LMFLOW_CONFIG_OPTIMIZER_ARGUMENT') throw error;
        assert.match((error as Error).message, name);
        refused++;
      }
    }
  }
  // adafactor, adan, sgd, sophia; lion under three names has no epsilon
  assert.is(refused, 3 * 4 + 3);
});

/** Every row of the table, with the arguments that give it the most state. */
const ARGUMENTS: Readonly<Record<string, TrainerInput>> = {
  schedule_free_adamw: { lrSchedulerType: 'constant' },
  adamw_bnb_8bit: { optimArgs: 'min_8bit_size=0' },
  sgd: { optimArgs: 'momentum=0.9' },
  adafactor: { optimArgs: 'beta1=0.9' },
  sophia: { optimArgs: 'k=2' },
};
const resumed = [...new Map([...OPTIMIZER_ROWS].map(([optim, row]) => [row, optim])).values()].map(
  (optim) => ({ optim, ...ARGUMENTS[optim] }),
);

for (const options of resumed) {
  test(`${options.optim}: a run that is resumed ends like one that was not`, async () => {
    const start = (
      outputDir: string,
      more: TrainerInput = {},
      stop?: number,
    ): Promise<RunOutcome> => {
      const controller = new AbortController();
      return fit({
        evaluation: tinySamples(3, 8),
        config: { outputDir },
        signal: controller.signal,
        options: {
          maxSteps: 6,
          perDeviceTrainBatchSize: 2,
          learningRate: 0.05,
          saveSteps: 2,
          evalStrategy: 'steps',
          evalSteps: 2,
          ...options,
          ...more,
        },
        tap: (hooks) => {
          hooks.onStep.tap(({ number }) => {
            if (number === stop) controller.abort();
          });
        },
      });
    };
    const straight = await start(temporaryFolder());
    const folder = temporaryFolder();
    await start(folder, {}, 3);
    const resumed = await start(folder, { resumeFromCheckpoint: true });
    assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
    assert.is(resumed.result.evaluation!['loss'], straight.result.evaluation!['loss']);
    if (options.optim === 'schedule_free_adamw') {
      assert.is(
        await codeOf(start(folder, { resumeFromCheckpoint: true, optimArgs: 'r=3' })),
        'LMFLOW_RESUME_CHANGED',
      );
    }
  });
}

test('the best schedule-free model is the one that was evaluated', async () => {
  const outputDir = temporaryFolder();
  const { result } = await fit({
    evaluation: tinySamples(3, 8),
    config: { outputDir },
    options: {
      maxSteps: 6,
      perDeviceTrainBatchSize: 2,
      learningRate: 0.5,
      saveStrategy: 'steps',
      saveSteps: 1,
      evalStrategy: 'steps',
      evalSteps: 1,
      loadBestModelAtEnd: true,
      optim: 'schedule_free_adamw',
      lrSchedulerType: 'constant',
    },
  });
  const losses = result.log.flatMap((entry) => entry['eval_loss'] ?? []);
  assert.ok(
    Math.abs(result.evaluation!['loss']! - Math.min(...losses)) < 1e-7,
    `${result.evaluation!['loss']} of ${losses.join()}`,
  );
});

test.after(() => kernel.close());
test.run();
