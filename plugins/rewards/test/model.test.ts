// A reward model as a reward: the numbers of `lmflow reward-score`, of a folder and of an adapter; and
// that command with rewards.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import type { RewardFunction, RewardSetting } from '@lmflow/sdk';
import { writeTinyModel } from '@lmflow/sdk/testing';
import evaluate from '@lmflow/plugin-evaluate';
import lora from '@lmflow/plugin-lora';
import type { RewardScores } from '@lmflow/plugin-reward-model';
import preset from '@lmflow/preset-reward-model';
import { errorOf } from './kit.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'lmflow-rewards-'));

function jsonFile(value: unknown): string {
  const path = join(folder(), 'data.json');
  writeFileSync(path, JSON.stringify(value));
  return path;
}

const records = [
  { input: 't8 t9', output: [{ text: ' t5', ended: true }, ' t6 t7'], answer: 't5' },
  { input: [{ role: 'user', content: 't10' }], output: [' t6'], answer: 't6' },
];

const pairs = [{ prompt: 't8', chosen: ' t5', rejected: ' t6' }];

async function ran<T>(
  config: Record<string, unknown>,
  work: (
    kernel: Awaited<ReturnType<typeof createTestKernel>>['kernel'],
    log: Awaited<ReturnType<typeof createTestKernel>>['log'],
  ) => Promise<T>,
): Promise<T> {
  const { kernel, log } = await createTestKernel({
    presets: [preset],
    plugins: [evaluate, ...('lora' in config ? [lora()] : [])],
    config: { datasetCacheDir: folder(), chatTemplate: 'chatml', ...config },
  });
  try {
    return await work(kernel, log);
  } finally {
    await kernel.close();
  }
}

async function trained(config: Record<string, unknown>): Promise<string> {
  const outputDir = folder();
  await ran({ maxSteps: 1, outputDir, dataset: jsonFile(pairs), ...config }, (kernel) =>
    kernel.run('reward-model'),
  );
  return outputDir;
}

async function score(
  config: Record<string, unknown>,
  { data = records, output }: { data?: unknown; output?: string } = {},
): Promise<RewardScores> {
  const options = output === undefined ? {} : { output };
  return ran(config, async (kernel) => {
    const { result } = await kernel.run('reward-score', {
      positionals: [jsonFile(data)],
      options: { ...options },
    });
    return result;
  });
}

const scores = ({ instances }: RewardScores): number[] =>
  instances.flatMap(({ output }) => output.map(({ score: number }) => number));

test('a reward model scores as reward-score does, whatever model answered', async () => {
  const plain = [records[0]];
  const rm = await trained({ model: await writeTinyModel() });
  const expected = scores(await score({ model: rm }, { data: plain }));
  assert.is(expected.length, 2);
  const rewards: RewardSetting[] = [{ type: 'model', model: rm, batchSize: 1 }];
  const found = await score({ model: 'elsewhere', rewards }, { data: plain });
  scores(found).forEach((value, index) => assert.ok(Math.abs(value - expected[index]!) < 1e-5));
  assert.equal(
    found.instances[0]!.output.map((answer) => answer.rewards),
    scores(found).map((model) => ({ model })),
  );
});

test('an adapter with a head is a reward, and needs the plugin that reads it', async () => {
  const data = [records[0]];
  const model = await writeTinyModel();
  const adapter = await trained({ model, lora: { r: 2 } });
  const expected = scores(await score({ model, lora: { adapter } }, { data }));
  const rewards = [{ type: 'model', model, adapter }];
  const found = scores(await score({ rewards, lora: {} }, { data }));
  found.forEach((value, index) => assert.ok(Math.abs(value - expected[index]!) < 1e-5));
  const unread = await errorOf(() => score({ rewards }, { data }));
  assert.is(unread.code, 'LMFLOW_REWARD_NOT_A_MODEL');
  const headless = await errorOf(() => score({ rewards: [{ type: 'model', model }] }, { data }));
  assert.is(headless.code, 'LMFLOW_REWARD_NOT_A_MODEL');
  assert.match(headless.message, /no head/);
});

test('an answer that the reward model cannot read is named', async () => {
  const rm = await trained({ model: await writeTinyModel() });
  const long = [{ input: 't8', output: [' t5', ` ${'t5 '.repeat(2000)}`] }];
  const { code, message } = await errorOf(() =>
    score({ rewards: [{ type: 'model', model: rm }] }, { data: long }),
  );
  assert.is(code, 'LMFLOW_REWARD_FAILED');
  assert.match(message, /"model" failed for .*data\.json, record 0, answer 2 .* tokens for /);
});

test('reward-score with rewards: columns, ends, gold ones, and what does not apply', async () => {
  const half: RewardFunction = ({ ended }) => ended.map((end) => (end ? null : 0.5));
  const rewards: RewardSetting[] = [
    { type: 'exactMatch', name: 'right', weight: 2 },
    { type: 'function', name: 'half', function: half, gold: true },
  ];
  const output = join(folder(), 'scored.json');
  const result = await score({ rewards }, { output });
  assert.equal(JSON.parse(readFileSync(output, 'utf8')), result);
  assert.equal(result.instances, [
    {
      input: 't8 t9',
      output: [
        { score: 2, text: ' t5', rewards: { right: 1, half: null } },
        { score: 0, text: ' t6 t7', rewards: { right: 0, half: 0.5 } },
      ],
    },
    {
      input: records[1]!.input,
      output: [{ score: 2, text: ' t6', rewards: { right: 1, half: 0.5 } }],
    },
  ]);
  const applies = await score({ rewards: [half] });
  assert.equal(scores(applies), [0.5, 0.5]);
});

test('reward-score reads what generate writes', async () => {
  const line = (prompt: object, text: string, finishReason: string) => ({
    ...prompt,
    text,
    finishReason,
    promptTokens: 2,
  });
  const [one, other] = [{ prompt: 't8' }, { messages: [{ role: 'user', content: 't8' }] }];
  const lines = [
    line(one, ' t5', 'stop'),
    line(one, ' t6 t7', 'length'),
    line(other, ' t6', 'stop'),
    line(one, ' t5', 'stop'),
  ];
  const { instances } = await score({ rewards: ['ends'] }, { data: lines });
  assert.equal(
    instances.map(({ input, output }) => [input, output.map((answer) => answer.score)]),
    [
      ['t8', [1, 0]],
      [other.messages, [1]],
      ['t8', [1]],
    ],
  );
});

test('what was scored before a failure is kept', async () => {
  let calls = 0;
  const late: RewardFunction = ({ completions }) => {
    if (++calls > 1) throw new Error('out of quota');
    return completions.map(() => 1);
  };
  const data = Array.from({ length: 3 }, (_, index) => ({
    input: `t${8 + index}`,
    output: Array.from({ length: 600 }, () => ' t5'),
  }));
  const output = join(folder(), 'scored.json');
  const error = await errorOf(() => score({ rewards: [late] }, { data, output }));
  assert.is(error.code, 'LMFLOW_REWARD_FAILED');
  assert.match(error.message, /"late" failed for .*record 2, answer 1 /);
  const kept = JSON.parse(readFileSync(`${output}.partial`, 'utf8')) as RewardScores;
  assert.is(kept.instances.length, 2);
});

test.run();
