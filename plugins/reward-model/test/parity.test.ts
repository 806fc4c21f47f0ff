// Against transformers' classifiers and TRL's RewardTrainer: scores with either padding, and the
// losses and figures of 20 steps.
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { joinSamples, MODELS, SCORER, TRAINER, type Sample, type Samples } from '@lmflow/sdk';
import { rewardModeling } from '../src/index.ts';
import {
  families,
  fixtures,
  modelFolder,
  readReference,
  temporaryFolder,
  withKernel,
} from './kit.ts';

const reference = readReference();
const classifier = { labels: 1, seed: 42 };
const close = (found: number, expected: number, tolerance: number, what: string): void => {
  const off = Math.abs(found - expected);
  assert.ok(off <= tolerance, `${what}: ${found}, not ${expected}`);
};

async function values(source: string, rows: readonly (readonly number[])[]): Promise<Float64Array> {
  return withKernel({}, async (kernel) => {
    const request = { role: 'reward', purpose: 'inference', source, classifier } as const;
    const session = kernel.resolve(SCORER).open(await kernel.resolve(MODELS).load(request));
    try {
      return await session.values(rows.map((ids) => Int32Array.from(ids)));
    } finally {
      await session.dispose();
    }
  });
}

test('a reward model of transformers has its scores, whatever the padding', async () => {
  const folder = modelFolder(join(fixtures, 'llama'));
  const { right, left } = reference.families['llama']!.scores;
  const found = await values(folder, reference.ids);
  const padded = await values(
    folder,
    reference.ids.map((ids) => [...ids, 0, 0]),
  );
  for (const [index, score] of found.entries()) {
    close(score, right[index]!, 1e-4, `row ${index}, padded on the right`);
    close(score, left[index]!, 1e-4, `row ${index}, padded on the left`);
    close(padded[index]!, score, 1e-5, `row ${index} with padding behind it`);
  }
});

test('where the end of text is padding, the token before it is read, as in transformers', async () => {
  const folder = modelFolder(join(fixtures, 'llama'), { pad_token_id: 2 });
  const found = await values(folder, reference.ids);
  reference.families['llama']!.padIsEos!.forEach((score, index) =>
    close(found[index]!, score, 1e-4, `row ${index}`),
  );
});

/** The reference's pairs as samples; the whole sequence counts as answer. */
function pairsOf({ chosen_ids, rejected_ids, margin }: (typeof reference.steps)[number]): Samples {
  const sequence = (ids: readonly number[], pair: number): Sample => ({
    inputIds: Int32Array.from(ids),
    labels: Int32Array.from(ids),
    ...(margin ? { columns: { margin: margin[pair]! } } : {}),
  });
  const groups = chosen_ids.map((ids, pair) => [
    sequence(ids, pair),
    sequence(rejected_ids[pair]!, pair),
  ]);
  return {
    length: groups.length,
    fingerprint: 'reference',
    statistics: { samples: groups.length, tokens: 1, trainedTokens: 1, truncated: 0, dropped: 0 },
    get: (index) => joinSamples(groups[index]!),
    lengthOf: (index) => Math.max(...groups[index]!.map(({ inputIds }) => inputIds.length)),
    group: { size: 2, get: (index) => groups[index]! },
  };
}

const STEPS = {
  perDeviceTrainBatchSize: 4,
  maxSteps: 20,
  learningRate: 2e-3,
  lrSchedulerType: 'linear',
  warmupSteps: 0,
  weightDecay: 0,
  maxGradNorm: 1,
  trainSamplingStrategy: 'sequential',
  loggingSteps: 1,
  saveStrategy: 'no',
};

for (const run of reference.steps) {
  const { margin, center } = run.options;
  test(`20 steps are TRL's, ${margin ? 'with margin and centring' : 'plain'}`, async () => {
    const source = modelFolder(join(fixtures, 'llama'));
    await withKernel({ ...STEPS, outputDir: temporaryFolder() }, async (kernel) => {
      const model = await kernel
        .resolve(MODELS)
        .load({ role: 'policy', purpose: 'training', source, classifier });
      const objective = rewardModeling({
        margin,
        centerRewardsCoefficient: center ?? 0,
        labelSmoothing: 0,
      });
      const { log } = await kernel.resolve(TRAINER).fit({ model, train: pairsOf(run), objective });
      const steps = log.filter(({ loss }) => loss !== undefined);
      assert.is(steps.length, 20);
      for (const [index, expected] of run.log.entries()) {
        const found = steps[index]!;
        for (const name of ['loss', 'accuracy'] as const) {
          close(found[name]!, expected[name], 1e-3, `${name} of step ${index + 1}`);
        }
        for (const name of ['margin', 'min_reward', 'mean_reward', 'max_reward'] as const) {
          const tolerance = 2e-3 + 1e-3 * Math.abs(expected[name]);
          close(found[name]!, expected[name], tolerance, `${name} of step ${index + 1}`);
        }
      }
    });
  });
}

test('a fresh head on GPT-2 is written and scores the same when read', async () => {
  const source = modelFolder(join(families, 'gpt2'));
  const found = await values(source, reference.ids);
  assert.equal(await values(source, reference.ids), found, 'the seed decides');
});

test.run();
