// Every optimizer's 20 steps against its reference (see reference/make_optimizers.py), as loops and through an engine; arguments; 8 bits; saving.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Parameter } from '@lmflow/sdk';
import { reshape, sizeOf } from '@lmflow/sdk/graph';
import { dynamicMap, EightBitTensor } from '../src/moments.ts';
import { optimizerArguments, type Optimizer } from '../src/optimizer.ts';
import { optimizers } from '../src/optimizers.ts';
import { trainerOptions, type TrainerInput } from '../src/options.ts';
import { Updater } from '../src/update.ts';
import { bitsOf, codeOf, fit, interpreterEngine, temporaryFolder, tinySamples, type RunOutcome } from './kit.ts';

interface Case {
  readonly name: string;
  readonly shape: number[];
  readonly options: TrainerInput;
  readonly steps: Readonly<Record<string, { readonly parameter: number[]; readonly evaluation?: number[] }>>;
}

const cases = JSON.parse(readFileSync(join(import.meta.dirname, 'reference', 'optimizers-20.json'), 'utf8')) as Record<string, Case>;
const numbers = (shape: readonly number[], seed: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, index) => Math.sin(12.9898 * (index + 1) + 78.233 * (seed + 1)));
const inEngine = ['adafactor', 'lamb', 'muon, original'];

/** The same update with an op that no loop is made of. */
const throughEngine = (optimizer: Optimizer): Optimizer => ({
  ...optimizer,
  update: (values) => optimizer.update({ ...values, gradient: reshape(reshape(values.gradient, [sizeOf(values.gradient.shape), 1]), values.gradient.shape) }),
});

const close = (found: Float32Array, expected: readonly number[], what: string): void => {
  expected.forEach((number, index) => { assert.ok(Math.abs(found[index]! - number) < 3e-6, `${what}, ${index}: ${found[index]} and ${number}`); });
};

for (const [title, { name, shape, options, steps }] of Object.entries(cases)) {
  const isLoop = !inEngine.some((start) => title.startsWith(start)) && title !== 'muon';
  for (const way of isLoop ? ['loop', 'engine'] : ['engine']) {
    test(`${title}: 20 steps of its reference, in ${way === 'loop' ? 'a loop' : 'the engine'}`, async () => {
      const parsed = trainerOptions.parse(options);
      const row = optimizers().get(parsed.optim)!;
      const engine = interpreterEngine();
      let updater = new Updater(isLoop && way === 'engine' ? throughEngine(row) : row, engine, parsed);
      const parameter: Parameter = { name, shape, data: numbers(shape, 0), decay: true };
      for (let step = 1; step <= 20; step++) {
        await updater.apply({ parameters: [parameter], gradients: new Map([[name, numbers(shape, step)]]), gradientScale: 1, learningRate: 0.02 * (1 - (step - 1) / 20) });
        const expected = steps[step];
        if (!expected) continue;
        close(parameter.data, expected.parameter, `step ${step}`);
        const trained = parameter.data.slice();
        await updater.withEvaluationWeights([parameter], () => undefined, async () => {
          close(parameter.data, expected.evaluation ?? expected.parameter, `evaluation ${step}`);
          if (step !== 10) return;
          // Everything goes on from what is saved, bit for bit.
          const saved = new Map([...updater.save()].map(([key, { data }]) => [key, { data: data.slice() }]));
          await updater.dispose();
          updater = new Updater(row, engine, parsed);
          assert.equal(updater.restore([parameter], saved), []);
          assert.equal(parameter.data, trained);
        });
        assert.equal(parameter.data, trained);
      }
      assert.is(engine.everCompiled.length > 0, way === 'engine');
      await updater.dispose();
    });
  }
}

test('moments in 8 bits take one byte, and the map is the one of bitsandbytes', async () => {
  const [signed, unsigned] = [dynamicMap(true), dynamicMap(false)];
  for (const map of [signed, unsigned]) assert.is(new Set(map).size, 256);
  assert.ok(Math.abs(signed[0]! + 0.9929687) < 1e-6 && signed[127] === 0 && signed[255] === 1 && unsigned[0] === 0 && unsigned[255] === 1);
  const tensor = new EightBitTensor(300, 'signed');
  const values = numbers([300], 3);
  tensor.write(0, values);
  assert.is(tensor.codes.byteLength, 300);
  assert.is(tensor.scales.length, 2);
  const read = new Float32Array(300);
  tensor.read(0, read);
  values.forEach((value, index) => { assert.ok(Math.abs(read[index]! - value) < 0.02 && (Math.sign(read[index]!) === Math.sign(value)), `${value} ${read[index]}`); });
  const parameter: Parameter = { name: 'p', shape: [100, 100], data: new Float32Array(10_000), decay: true };
  const bytes = (optim: string): number => new Updater(optimizers().get(optim)!, interpreterEngine(), trainerOptions.parse({ optim })).stateBytes([parameter]);
  assert.is(bytes('adamw_torch'), 80_000);
  assert.ok(bytes('adamw_8bit') < 20_500, String(bytes('adamw_8bit')));
});

test('an inactive parameter has no state', async () => {
  const parameter: Parameter = { name: 'p', shape: [2], data: Float32Array.of(1, 2), decay: true };
  const updater = new Updater(optimizers().get('adamw_torch')!, interpreterEngine(), trainerOptions.parse({}));
  await updater.apply({ parameters: [parameter], gradients: new Map([['p', Float32Array.of(1, 1)]]), gradientScale: 1, learningRate: 0.1 });
  assert.is(updater.save().size, 3);
  parameter.active = false;
  assert.is(updater.stateBytes([parameter]), 0);
  await updater.apply({ parameters: [parameter], gradients: new Map(), gradientScale: 1, learningRate: 0.1 });
  assert.is(updater.save().size, 0);
});

test('optimArgs are checked', () => {
  const given = (optim: string, optimArgs: TrainerInput['optimArgs']): unknown => optimizerArguments(optimizers().get(optim)!, trainerOptions.parse({ optim, optimArgs }));
  assert.equal(given('sgd', 'momentum=0.5'), { momentum: 0.5, dampening: 0, nesterov: false });
  assert.equal(given('muon', { nsSteps: 3 }), { momentum: 0.95, nesterov: true, ns_steps: 3, eps: 1e-7, adjust_lr_fn: 'match_rms_adamw' });
  for (const [optim, text] of [['sgd', 'speed=1'], ['sgd', 'momentum'], ['sgd', 'momentum=much'], ['sgd', 'nesterov=1'], ['muon', 'adjust_lr_fn=other'], ['adamw_torch', 'beta1=0.9']] as const) {
    assert.throws(() => given(optim, text), (error: { code: string }) => error.code === 'LMFLOW_CONFIG_OPTIMIZER_ARGUMENT', text);
  }
});

for (const options of [{ optim: 'schedule_free_adamw', lrSchedulerType: 'constant' }, { optim: 'adamw_8bit', optimArgs: 'min_8bit_size=0' }, { optim: 'nadam' }, { optim: 'muon' }] satisfies TrainerInput[]) {
  test(`${options.optim}: a run that is resumed ends like one that was not`, async () => {
    const start = (outputDir: string, more: TrainerInput = {}, stop?: number): Promise<RunOutcome> => {
      const controller = new AbortController();
      return fit({
        evaluation: tinySamples(3, 8), config: { outputDir }, signal: controller.signal,
        options: { maxSteps: 6, perDeviceTrainBatchSize: 2, learningRate: 0.05, saveSteps: 2, evalStrategy: 'steps', evalSteps: 2, ...options, ...more },
        tap: (hooks) => { hooks.onStep.tap('stop', ({ number }) => { if (number === stop) controller.abort(); }); },
      });
    };
    const straight = await start(temporaryFolder());
    const folder = temporaryFolder();
    await start(folder, {}, 3);
    const resumed = await start(folder, { resumeFromCheckpoint: true });
    assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
    assert.is(resumed.result.evaluation!['loss'], straight.result.evaluation!['loss']);
    assert.is(await codeOf(start(folder, { resumeFromCheckpoint: true, optimArgs: 'r=3' })), options.optim === 'schedule_free_adamw' ? 'LMFLOW_RESUME_CHANGED' : 'LMFLOW_CONFIG_OPTIMIZER_ARGUMENT');
  });
}

test('the best schedule-free model is the one that was evaluated', async () => {
  const outputDir = temporaryFolder();
  const { result } = await fit({
    evaluation: tinySamples(3, 8), config: { outputDir },
    options: { maxSteps: 6, perDeviceTrainBatchSize: 2, learningRate: 0.5, saveStrategy: 'steps', saveSteps: 1, evalStrategy: 'steps', evalSteps: 1, loadBestModelAtEnd: true, optim: 'schedule_free_adamw', lrSchedulerType: 'constant' },
  });
  const losses = result.log.flatMap((entry) => entry['eval_loss'] ?? []);
  assert.ok(Math.abs(result.evaluation!['loss']! - Math.min(...losses)) < 1e-7, `${result.evaluation!['loss']} of ${losses.join()}`);
});

test.run();
