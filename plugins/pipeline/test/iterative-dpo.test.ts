// Iterative DPO as a pipeline of two rounds: answers, their rewards, pairs, a better model; killed on
// the way, it goes on at the stage that did not end.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { writeTinyModel } from '@lmflow/sdk/testing';
import type { RewardFunction } from '@lmflow/sdk';
import dpo from '@lmflow/preset-dpo';
import inference from '@lmflow/preset-inference';
import rewardModel from '@lmflow/preset-reward-model';
import pipeline, { type LoopSetting, type StageOutcome } from '../src/index.ts';
import { temporaryFolder } from './kit.ts';

const stories = resolve(import.meta.dirname, '../../../../shared/models/stories260k');
const isStories = existsSync(stories);
const model = isStories ? stories : await writeTinyModel();
const asked = isStories
  ? ['Once upon a time', 'Tom had a', 'The cat', 'One day, a girl']
  : ['t8 t9', 't10', 't11 t12', 't13 t14'];

/** A reward that the answers of a small model differ in. */
const early: RewardFunction = ({ completions }) =>
  completions.map((text) => [...text].filter((letter) => /[a-m1-5]/.test(letter)).length);

const folder = temporaryFolder();
const prompts = join(temporaryFolder(), 'prompts.txt');
writeFileSync(prompts, `${asked.join('\n')}\n`);
const datasetCacheDir = temporaryFolder();

const learn = (rewards: readonly RewardFunction[]): LoopSetting => ({
  name: 'iteration',
  repeat: 2,
  stages: [
    {
      name: 'answers',
      command: 'generate',
      presets: [inference],
      config: { model, lora: { adapter: '${previous.model:-}' }, seed: '${round}' },
      options: {
        prompts,
        format: 'jsonl',
        output: '${folder}/answers.jsonl',
        numReturnSequences: 4,
        maxNewTokens: 12,
        doSample: true,
        temperature: 1,
        topK: 0,
      },
      outputs: ['answers.jsonl'],
    },
    {
      name: 'scores',
      command: 'reward-score',
      presets: [rewardModel],
      config: { rewards },
      arguments: ['${answers}/answers.jsonl'],
      options: { output: '${folder}/scored.json' },
      outputs: ['scored.json'],
    },
    {
      name: 'model',
      command: 'dpo',
      presets: [dpo],
      config: {
        model,
        lora: { adapter: '${previous.model:-}' },
        dataset: '${scores}/scored.json',
        dpo: { samplingPairedMethod: 'max_min' },
        outputDir: '${folder}',
        datasetCacheDir,
        learningRate: 1e-3,
        maxSteps: 2,
        perDeviceTrainBatchSize: 4,
      },
      outputs: ['adapter_model.safetensors'],
    },
  ],
});

async function run(
  rewards: readonly RewardFunction[],
  signal?: AbortSignal,
): Promise<{ readonly outcomes: readonly StageOutcome[]; readonly exitCode: number }> {
  const { kernel } = await createTestKernel({
    plugins: [pipeline],
    config: { seed: 3, pipeline: { folder, stages: [learn(rewards)] } },
  });
  try {
    const { result, exitCode } = await kernel.run('pipeline', signal ? { signal } : {});
    return { outcomes: result, exitCode };
  } finally {
    await kernel.close();
  }
}

const states = (outcomes: readonly StageOutcome[]): string[] =>
  outcomes.map(({ path, state }) => `${path} ${state}`);

test('two rounds of generate, score, pairs and DPO; interrupted, they go on', async () => {
  const controller = new AbortController();
  let calls = 0;
  const counted: RewardFunction = (input) => {
    // in the second round
    if (++calls === 2) controller.abort();
    return early(input);
  };
  // the text of the function is a setting: both runs have the same
  const first = await run([counted], controller.signal);
  assert.is(first.exitCode, 130);
  assert.equal(states(first.outcomes), [
    'iteration-1/answers ran',
    'iteration-1/scores ran',
    'iteration-1/model ran',
    'iteration-2/answers ran',
  ]);
  const second = await run([counted]);
  assert.is(second.exitCode, 0);
  assert.equal(states(second.outcomes), [
    'iteration-1/answers fresh',
    'iteration-1/scores fresh',
    'iteration-1/model fresh',
    'iteration-2/answers fresh',
    'iteration-2/scores ran',
    'iteration-2/model ran',
  ]);
  assert.is(calls, 3);
  const weights = [1, 2].map((round) =>
    readFileSync(join(folder, `iteration-${round}`, 'model', 'adapter_model.safetensors')),
  );
  assert.not(weights[0]!.equals(weights[1]!), 'the second round goes on from the first');
  const scored = JSON.parse(
    readFileSync(join(folder, 'iteration-2', 'scores', 'scored.json'), 'utf8'),
  ) as { readonly instances: readonly { readonly output: readonly unknown[] }[] };
  assert.equal(
    scored.instances.map(({ output }) => output.length),
    [4, 4, 4, 4],
  );
});

test.run();
