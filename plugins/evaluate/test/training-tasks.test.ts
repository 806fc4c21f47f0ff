// Tasks in training: on the live parameters, with and without evaluation data, best model, resumed.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import scoring from '@lmflow/plugin-scoring';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import type { FitResult, Preset } from '@lmflow/sdk';
import { createTestKernel, type captureLog } from 'lmflow/testing';
import evaluate from '../src/index.ts';
import { wordsFixture } from './words.ts';

const scratch = (): string => mkdtempSync(join(tmpdir(), 'lmflow-tasks-'));
const fixture = wordsFixture();
const dataset = join(scratch(), 'texts.jsonl');
writeFileSync(
  dataset,
  Array.from(
    { length: 16 },
    (_, at) => `{"text": "t${at + 1} t${at + 5} t${at + 30} t${at + 2}"}\n`,
  ).join(''),
);

interface Trained {
  readonly result: FitResult;
  readonly log: ReturnType<typeof captureLog>;
}

async function train(
  preset: Preset,
  config: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Trained> {
  const { kernel, log } = await createTestKernel({
    presets: [preset],
    plugins: [scoring(), evaluate()],
    config: {
      model: fixture.model,
      dataset,
      evalTasks: [fixture.task],
      evalStrategy: 'steps',
      evalSteps: 2,
      saveSteps: 2,
      maxSteps: 4,
      learningRate: 0.02,
      perDeviceTrainBatchSize: 2,
      ...config,
    },
  });
  try {
    const { result } = await kernel.run('finetune', signal ? { signal } : {});
    return { result, log };
  } finally {
    await kernel.close();
  }
}

async function scores(config: Record<string, unknown>): Promise<Record<string, number>> {
  const { kernel } = await createTestKernel({
    presets: [inference],
    config: { model: fixture.model, ...config },
  });
  try {
    const { result } = await kernel.run('evaluate', { options: { tasks: fixture.task } });
    const metrics = Object.entries(result.tasks[0]!.metrics);
    return Object.fromEntries(metrics.map(([name, { value }]) => [`words.${name}`, value]));
  } finally {
    await kernel.close();
  }
}

const figuresOf = (
  { result }: Trained,
  name = 'eval_words.acc',
): readonly (readonly [step: number, figure: number])[] =>
  result.log.flatMap((entry) =>
    entry[name] === undefined ? [] : [[entry['step']!, entry[name]] as const],
  );

for (const [name, preset, where] of [
  ['all weights', finetune, (outputDir: string) => ({ model: outputDir })],
  ['an adapter', lora, (outputDir: string) => ({ lora: { adapter: outputDir } })],
] as const) {
  test(`${name}: figures of the live model are those of the saved one, without evaluation data`, async () => {
    const outputDir = scratch();
    const trained = await train(preset, { outputDir });
    assert.equal(
      figuresOf(trained).map(([step]) => step),
      [2, 4],
    );
    const last = await scores(where(outputDir));
    assert.equal(trained.result.evaluation, last);
    const before = await scores({});
    assert.not.equal(last, before, 'training changes the figures');
    assert.match(trained.log.texts('event').join('\n'), /step 2\/4 {2}evaluation words\.acc /);
    const state = JSON.parse(readFileSync(join(outputDir, 'eval_results.json'), 'utf8')) as object;
    assert.is(state['eval_words.acc' as keyof typeof state], last['words.acc']);
  });
}

test('beside the loss on samples; the best model by a figure of a task is the one that is kept', async () => {
  const outputDir = scratch();
  const trained = await train(finetune, {
    outputDir,
    evalDataset: dataset,
    evalSteps: 1,
    saveSteps: 1,
    metricForBestModel: 'words.acc_norm',
    loadBestModelAtEnd: true,
    learningRate: 0.05,
  });
  const figures = figuresOf(trained, 'eval_words.acc_norm').slice(0, 4);
  const best = Math.max(...figures.map(([, figure]) => figure));
  assert.is(trained.result.evaluation!['words.acc_norm'], best);
  assert.ok(trained.result.evaluation!['loss']! > 0);
  assert.is((await scores({ model: outputDir }))['words.acc_norm'], best);
  assert.ok(
    figures.some(([, figure]) => figure < best),
    'there is a choice',
  );
});

test('killed and resumed is as not killed', async () => {
  const config = { evalSteps: 1, saveSteps: 1, evalOnStart: true, evalTasksLimit: 7 };
  const [whole, folder] = [scratch(), scratch()];
  const straight = await train(lora, { ...config, outputDir: whole });
  const controller = new AbortController();
  const { kernel } = await createTestKernel({
    presets: [lora],
    plugins: [
      scoring(),
      evaluate(),
      {
        name: 'interrupt',
        version: '1.0.0',
        sdk: '^1.0.0',
        apply: ({ hooks }) => {
          hooks.onStep.tap(({ number }) => {
            if (number === 2) controller.abort();
          });
        },
      },
    ],
    config: {
      model: fixture.model,
      dataset,
      evalTasks: [fixture.task],
      evalStrategy: 'steps',
      maxSteps: 4,
      learningRate: 0.02,
      perDeviceTrainBatchSize: 2,
      ...config,
      outputDir: folder,
    },
  });
  await kernel.run('finetune', { signal: controller.signal });
  await kernel.close();
  const resumed = await train(lora, { ...config, outputDir: folder, resumeFromCheckpoint: true });
  assert.equal(figuresOf(resumed), figuresOf(straight));
  assert.is(figuresOf(straight).length, 5);
  const weights = (out: string): Buffer => readFileSync(join(out, 'adapter_model.safetensors'));
  assert.ok(weights(whole).equals(weights(folder)));
});

test('what is wrong is told before the model loads', async () => {
  const code = (config: Record<string, unknown>): Promise<unknown> =>
    train(lora, { model: 'no/such-model', outputDir: scratch(), ...config }).then(
      () => undefined,
      (error: unknown) => (error as { readonly code: unknown }).code,
    );
  assert.is(await code({ evalTasks: ['no_such_task'] }), 'LMFLOW_EVALUATE_TASK_UNKNOWN');
  for (const metricForBestModel of ['words.accuracy', 'eval_piqa.acc']) {
    assert.is(await code({ metricForBestModel }), 'LMFLOW_EVALUATE_BEST_METRIC');
  }
  assert.is.not(
    await code({ metricForBestModel: 'eval_words.acc' }),
    'LMFLOW_EVALUATE_BEST_METRIC',
  );
});

test('data that is missing is told before the first step', async () => {
  const dataDir = scratch();
  mkdirSync(join(dataDir, 'piqa'));
  const outputDir = scratch();
  const error: unknown = await train(lora, {
    outputDir,
    evalTasks: ['piqa'],
    evalTasksDataDir: dataDir,
  }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.match((error as { readonly code: string }).code, /^LMFLOW_DATA/);
  assert.equal(readdirSync(outputDir), []);
});

test('a scorer that is missing is said before the first step', async () => {
  const outputDir = scratch();
  const { kernel } = await createTestKernel({
    presets: [finetune],
    plugins: [evaluate()],
    config: { model: fixture.model, dataset, outputDir, evalTasks: [fixture.task], maxSteps: 1 },
  });
  const error: unknown = await kernel.run('finetune').then(
    () => undefined,
    (reason: unknown) => reason,
  );
  await kernel.close();
  assert.is((error as { readonly code: string }).code, 'LMFLOW_TOKEN_MISSING');
  assert.equal(readdirSync(outputDir), []);
});

test.run();
