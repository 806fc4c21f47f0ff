// `lmflow dpo` against 20 steps of TRL's DPOTrainer on the same model, pairs and order: with an adapter
// that is switched off for the reference, with one that training continues, and with all weights.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKernel } from 'lmflow';
import {
  definePlugin,
  joinSamples,
  type FitResult,
  type Pluggable,
  type Sample,
  type Samples,
} from '@lmflow/sdk';
import dpo from '@lmflow/plugin-dpo';
import scoring from '@lmflow/plugin-scoring';
import preset from '@lmflow/preset-dpo';
import finetune from '@lmflow/preset-finetune';
import { INITIAL_ADAPTER, json, modelFolder, setInitialAdapter } from './family.ts';

interface Pair {
  readonly prompt_ids: readonly number[];
  readonly chosen_ids: readonly number[];
  readonly rejected_ids: readonly number[];
}

interface Fixture {
  readonly batch: number;
  readonly steps: number;
  readonly pairs: readonly Pair[];
  readonly cases: Readonly<
    Record<
      string,
      {
        readonly settings: {
          readonly learning_rate: number;
          readonly beta: number;
          readonly loss_type: ('sigmoid' | 'ipo' | 'bco_pair' | 'sft')[];
          readonly loss_weights?: number[];
        };
        readonly figures: Readonly<Record<string, readonly number[]>>;
      }
    >
  >;
}

const fixture = json<Fixture>('dpo', 'trl.json');

function sequence(prompt: readonly number[], answer: readonly number[]): Sample {
  const ids = [...prompt, ...answer];
  return {
    inputIds: Int32Array.from(ids),
    labels: Int32Array.from(ids, (id, place) => (place < prompt.length ? -100 : id)),
  };
}

function pairSamples(): Samples {
  const groups = fixture.pairs.map(({ prompt_ids: prompt, chosen_ids: c, rejected_ids: r }) => [
    sequence(prompt, c),
    sequence(prompt, r),
  ]);
  const lengths = groups.map((group) => Math.max(...group.map(({ inputIds }) => inputIds.length)));
  return {
    length: groups.length,
    fingerprint: 'pairs of ids',
    statistics: { samples: groups.length, tokens: 1, trainedTokens: 1, truncated: 0, dropped: 0 },
    get: (index) => joinSamples(groups[index]!),
    lengthOf: (index) => lengths[index]!,
    group: { size: 2, get: (index) => groups[index]! },
  };
}

/** Gives the samples of the fixture, and a new adapter its numbers. */
const ofFixture = definePlugin({
  name: 'test-of-fixture',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply({ hooks }) {
    hooks.onSamples.tap(() => pairSamples());
    hooks.onModelLoad.tap('check', setInitialAdapter);
  },
});

interface Trained {
  readonly result: FitResult;
  readonly outputDir: string;
}

async function train(
  name: string,
  config: Readonly<Record<string, unknown>>,
  plugins: readonly Pluggable[] = [],
): Promise<Trained> {
  const { settings } = fixture.cases[name]!;
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-dpo-'));
  const dataset = join(folder, 'pairs.json');
  writeFileSync(dataset, JSON.stringify([{ prompt: 't5', chosen: ' t6', rejected: ' t7' }]));
  const outputDir = join(folder, 'out');
  const kernel = await createKernel({
    presets: [config['full'] === true ? finetune : preset],
    plugins: [...(config['full'] === true ? [scoring, dpo] : []), ofFixture, ...plugins],
    model: modelFolder('llama'),
    dataset,
    outputDir,
    perDeviceTrainBatchSize: fixture.batch,
    maxSteps: fixture.steps,
    trainSamplingStrategy: 'sequential',
    learningRate: settings.learning_rate,
    lrSchedulerType: 'linear',
    warmupSteps: 0,
    loggingSteps: 1,
    saveStrategy: 'no',
    dpo: {
      beta: settings.beta,
      lossType: settings.loss_type,
      ...(settings.loss_weights ? { lossWeights: settings.loss_weights } : {}),
    },
    ...Object.fromEntries(Object.entries(config).filter(([key]) => key !== 'full')),
  });
  try {
    const { result } = await kernel.run('dpo');
    return { result, outputDir };
  } finally {
    await kernel.close();
  }
}

/** Largest difference of a figure from TRL's over the steps. */
function off(name: string, figure: string, { result }: Trained): number {
  const found = result.log.flatMap((entry) =>
    entry['grad_norm'] === undefined ? [] : [entry[figure]!],
  );
  const expected = fixture.cases[name]!.figures[figure]!;
  assert.is(found.length, expected.length, figure);
  return Math.max(...found.map((value, step) => Math.abs(value - expected[step]!)));
}

function checkFigures(name: string, trained: Trained): void {
  for (const figure of Object.keys(fixture.cases[name]!.figures)) {
    const difference = off(name, figure, trained);
    assert.ok(difference < 1e-3, `${name}: ${figure} is off by ${difference}`);
  }
}

const lora = { r: 4, loraAlpha: 8 };

test('sigmoid, the adapter switched off is the reference', async () => {
  const trained = await train('sigmoid', { lora });
  checkFigures('sigmoid', trained);
  const [first] = trained.result.log;
  assert.ok(Math.abs(first!['loss']! - Math.LN2) < 1e-6, `first loss ${first!['loss']}`);
  assert.is(first!['rewards/margins'], 0);
});

test('ipo, the reference is the adapter that training continues', async () => {
  checkFigures('ipo', await train('ipo', { lora: { adapter: INITIAL_ADAPTER } }));
});

test('sigmoid, bco_pair and sft by weights, all weights trained', async () => {
  checkFigures('mpo', await train('mpo', { full: true }));
});

test.run();
