// The loss against numbers of its formula, mismatched prompts and answers, and twenty steps of TRL's
// KTOTrainer through the command; z is one for the step, however it is cut into micro-batches.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { definePlugin, type Batch, type FitResult, type Sample, type Samples } from '@lmflow/sdk';
import { readSafetensors } from '@lmflow/sdk/formats';
import { Graph, interpret, ndarray } from '@lmflow/sdk/graph';
import { checkGradient, writeWordTokenizer } from '@lmflow/sdk/testing';
import preset from '@lmflow/preset-kto';
import { answersOf, mismatchedRows } from '../src/mismatched.ts';
import { judgedLoss } from '../src/objective.ts';

const NUMBERS = { beta: 0.1, desirableWeight: 1, undesirableWeight: 1 };

function lossOf(ratio: number, good: number, z: number): number {
  const graph = new Graph();
  const ratios = graph.input('ratio', 'float32', [1]);
  const labels = graph.input('good', 'float32', [1]);
  graph.output('loss', judgedLoss(ratios, labels, z, NUMBERS));
  const results = interpret(graph, { ratio: ndarray([1], [ratio]), good: ndarray([1], [good]) });
  return results['loss']!.data[0]!;
}

test('a good answer and a bad one: the numbers of the formula', () => {
  const near = (found: number, expected: number): void => {
    assert.ok(Math.abs(found - expected) < 1e-6, `${found}, not ${expected}`);
  };
  near(lossOf(2, 1, 0.7), 0.467545694);
  near(lossOf(-1, 0, 0.7), 0.457602059);
  // apo_zero_unpaired: no z
  near(lossOf(2, 1, 0), 1 - 1 / (1 + Math.exp(-0.2)));
});

test('its gradient', () => {
  const numbers = { ...NUMBERS, desirableWeight: 1.2, undesirableWeight: 0.7 };
  const good = { shape: [3], values: [1, 0, 1] };
  checkGradient(({ r, g }) => judgedLoss(r!, g!, 0.3, numbers), { r: { shape: [3] }, g: good });
});

test('each prompt gets the answer of the one before, from joined rows too', () => {
  const batch = {
    length: 8,
    tensors: {
      inputIds: { data: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 0, 8, 9, 0, 0, 0, 0, 0, 0) },
      labels: {
        data: Int32Array.of(
          -100,
          -100,
          3,
          -100,
          5,
          6,
          7,
          -100,
          -100,
          9,
          ...Array<number>(6).fill(-100),
        ),
      },
    },
    sequences: [
      { row: 0, start: 0, length: 3 },
      { row: 0, start: 3, length: 4 },
      { row: 1, start: 0, length: 2 },
    ],
  } as unknown as Batch;
  const rows = mismatchedRows(answersOf([batch]), 4);
  assert.equal(
    rows.map(({ ids, labels }) => [[...ids], [...labels!]]),
    [
      [
        [1, 2, 9],
        [-100, -100, 9],
      ],
      [
        [4, 3],
        [-100, 3],
      ],
      [
        [8, 5, 6, 7],
        [-100, 5, 6, 7],
      ],
    ],
  );
});

const fixtures = new URL('../../../test/fixtures/', import.meta.url);
interface Judged {
  readonly prompt_ids: readonly number[];
  readonly completion_ids: readonly number[];
  readonly label: boolean;
}
const fixture = JSON.parse(readFileSync(new URL('kto/trl.json', fixtures), 'utf8')) as {
  readonly batch: number;
  readonly steps: number;
  readonly settings: Readonly<
    Record<'learning_rate' | 'beta' | 'desirable_weight' | 'undesirable_weight', number>
  >;
  readonly judged: readonly Judged[];
  readonly figures: Readonly<Record<string, readonly number[]>>;
};
const sequences = fixture.judged.map(
  ({ prompt_ids: prompt, completion_ids: answer, label }): Sample => {
    const ids = [...prompt, ...answer];
    return {
      inputIds: Int32Array.from(ids),
      labels: Int32Array.from(ids, (id, place) => (place < prompt.length ? -100 : id)),
      columns: { desirable: Number(label) },
    };
  },
);
const samples: Samples = {
  length: sequences.length,
  fingerprint: 'judged',
  statistics: { samples: sequences.length, tokens: 1, trainedTokens: 1, truncated: 0, dropped: 0 },
  get: (index) => sequences[index]!,
  lengthOf: (index) => sequences[index]!.inputIds.length,
};

/** Gives the samples of the fixture, and a new adapter its numbers. */
const ofFixture = definePlugin({
  name: 'test-of-fixture',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply({ hooks }) {
    hooks.onSamples.tap(() => samples);
    hooks.onModelLoad.tap('check', async ({ adapter }) => {
      const file = new URL('steps/llama/lora/initial/adapter_model.safetensors', fixtures);
      const tensors = await readSafetensors(file.pathname);
      for (const { name, data } of adapter?.parameters ?? []) {
        data.set(tensors.get(`base_model.model.${name}`)!.data);
      }
    });
  },
});

const root = mkdtempSync(join(tmpdir(), 'lmflow-kto-'));
const model = join(root, 'model');
cpSync(new URL('families/llama', fixtures), model, { recursive: true });
writeWordTokenizer(model);
writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));
const dataset = join(root, 'judged.json');
writeFileSync(dataset, JSON.stringify([{ prompt: 't5', completion: ' t6', label: true }]));

let count = 0;
async function train(config: Readonly<Record<string, unknown>> = {}): Promise<FitResult> {
  const { settings } = fixture;
  const { kernel } = await createTestKernel({
    presets: [preset],
    plugins: [ofFixture],
    config: {
      model,
      dataset,
      outputDir: join(root, `out${count++}`),
      datasetCacheDir: join(root, 'cache'),
      perDeviceTrainBatchSize: fixture.batch,
      maxSteps: fixture.steps,
      trainSamplingStrategy: 'sequential',
      learningRate: settings.learning_rate,
      lrSchedulerType: 'linear',
      loggingSteps: 1,
      saveStrategy: 'no',
      lora: { r: 4, loraAlpha: 8 },
      kto: {
        beta: settings.beta,
        desirableWeight: settings.desirable_weight,
        undesirableWeight: settings.undesirable_weight,
      },
      ...config,
    },
  });
  try {
    return ((await kernel.run('kto')) as { result: FitResult }).result;
  } finally {
    await kernel.close();
  }
}

const figures = ({ log }: FitResult, name: string): number[] =>
  log.flatMap((entry) => (entry['grad_norm'] === undefined ? [] : [entry[name]!]));

function near(
  found: readonly number[],
  expected: readonly number[],
  what: string,
  bound: number,
): void {
  assert.is(found.length, expected.length, what);
  const off = Math.max(...found.map((value, step) => Math.abs(value - expected[step]!)));
  assert.ok(off < bound, `${what} is off by ${off}`);
}

test("20 steps as TRL's KTOTrainer takes them", async () => {
  const result = await train();
  for (const [name, expected] of Object.entries(fixture.figures)) {
    near(figures(result, name), expected, name, 1e-3);
  }
});

test('z is that of the step: 2 micro-batches of 2 are one of 4', async () => {
  const result = await train({
    perDeviceTrainBatchSize: 2,
    gradientAccumulationSteps: 2,
    maxSteps: 8,
  });
  const whole = await train({ maxSteps: 8 });
  for (const name of ['loss', 'kl']) near(figures(result, name), figures(whole, name), name, 1e-4);
});

test('one answer a step is refused, apo_zero_unpaired takes it', async () => {
  const one = { perDeviceTrainBatchSize: 1, maxSteps: 1 };
  const error = await train(one).catch((caught: unknown) => caught as { code: string });
  assert.is((error as { code: string }).code, 'LMFLOW_KTO_BATCH');
  const [loss] = figures(await train({ ...one, kto: { lossType: 'apo_zero_unpaired' } }), 'loss');
  assert.ok(Math.abs(loss! - 0.5) < 1e-6, String(loss));
});

test.after(() => {
  rmSync(root, { recursive: true, force: true });
});
test.run();
