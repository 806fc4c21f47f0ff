// `lmflow raft` from end to end: a reward rises, files of every stage, and a run that was stopped in any
// stage ends as one that was not.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { definePlugin, type RewardFunction } from '@lmflow/sdk';
import { writeWordTokenizer } from '@lmflow/sdk/testing';
import preset from '@lmflow/preset-raft';
import type { RaftResult } from '../src/index.ts';

const FAMILIES = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'families');
const MODEL = folder();

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'lmflow-raft-'));
  cpSync(join(FAMILIES, 'llama'), made, { recursive: true });
  writeWordTokenizer(made);
  writeFileSync(join(made, 'tokenizer_config.json'), '{}');
  const line = (row: number): string => `${JSON.stringify({ prompt: `t${row} t${row + 9} t5` })}\n`;
  const lines = Array.from({ length: 24 }, (_, row) => line(row + 3));
  writeFileSync(join(made, 'prompts.jsonl'), lines.slice(0, 16).join(''));
  writeFileSync(join(made, 'held-out.jsonl'), lines.slice(16).join(''));
  return made;
}

/** Share of even words. */
const even: RewardFunction = ({ completions }) =>
  completions.map((text) => {
    const words = text.split(' ').map((word) => Number(word.slice(1)));
    return words.filter((word) => word % 2 === 0).length / words.length;
  });

const length: RewardFunction = ({ completionIds }) => completionIds.map((ids) => -ids!.length);

const SETTINGS = {
  model: MODEL,
  dataset: join(MODEL, 'prompts.jsonl'),
  rewards: [
    { type: 'function', function: even, name: 'even', normalize: 'running' as const },
    { type: 'function', function: length, name: 'short', gold: true },
  ],
  learningRate: 0.1,
  loggingSteps: 1,
  saveSteps: 1,
  numTrainEpochs: 6,
  perDeviceTrainBatchSize: 4,
  lora: { r: 4 },
  raft: {
    rounds: 3,
    promptsPerRound: 8,
    numGenerations: 4,
    maxNewTokens: 8,
    truncated: 'keep' as const,
  },
};

interface Ran {
  readonly result: RaftResult | undefined;
  readonly error: unknown;
  readonly texts: readonly string[];
}

async function run(
  outputDir: string,
  config: Record<string, unknown> = {},
  onStep: (step: number) => void = () => undefined,
): Promise<Ran> {
  const watching = definePlugin({
    name: 'watching',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: ({ hooks }) => {
      hooks.onStep.tap(({ number }) => {
        onStep(number);
      });
    },
  });
  const { kernel, log } = await createTestKernel({
    presets: [preset],
    plugins: [watching()],
    config: { ...SETTINGS, outputDir, ...config },
  });
  try {
    const { result } = await kernel.run('raft');
    return { result, error: undefined, texts: [...log.texts('info'), ...log.texts('event')] };
  } catch (error) {
    return { result: undefined, error, texts: log.texts('info') };
  } finally {
    await kernel.close();
  }
}

const output = (): string => join(mkdtempSync(join(tmpdir(), 'lmflow-raft-')), 'out');

/** Hashes of the adapter and of every file of the rounds but those that name folders. */
function content(outputDir: string): Record<string, string> {
  const files = ['adapter_model.safetensors', 'raft/rounds.md', 'raft/rounds.svg'];
  for (const round of readdirSync(join(outputDir, 'raft')).filter((name) => /^round-/.test(name))) {
    for (const stage of ['samples', 'scores', 'selected']) {
      files.push(`raft/${round}/${stage}.jsonl`);
    }
  }
  return Object.fromEntries(
    files.map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(join(outputDir, file)))
        .digest('hex'),
    ]),
  );
}

let whole: Record<string, string>;

test('the reward rises; stages, table and chart are files; the log shows the reward first', async () => {
  const outputDir = output();
  const { result, texts, error } = await run(outputDir);
  assert.is(error, undefined, String(error));
  const rounds = result!.rounds;
  assert.is(rounds.length, 3);
  assert.ok(rounds.every(({ rewardBest, reward }) => rewardBest > reward));
  assert.ok(rounds[0]!.kl !== undefined && Math.abs(rounds[0]!.kl) < 1e-4, `${rounds[0]!.kl}`);
  assert.ok(rounds[2]!.kl! > 1e-3);
  assert.is(rounds[0]!.gold['short'], -rounds[0]!.length);
  const scores = readFileSync(join(outputDir, 'raft/round-003/scores.jsonl'), 'utf8');
  const share = (round: string): number => {
    const lines = readFileSync(join(outputDir, `raft/round-${round}/scores.jsonl`), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => (JSON.parse(line) as { rewards: { even: number } }).rewards.even);
    return lines.reduce((sum, one) => sum + one, 0) / lines.length;
  };
  assert.is(scores.trim().split('\n').length, 1 + 32);
  assert.ok(share('003') > share('001') + 0.1, `${share('001')} -> ${share('003')}`);
  const model = JSON.parse(readFileSync(join(outputDir, 'raft/round-003/model.json'), 'utf8')) as {
    checkpoint: string;
  };
  assert.ok(existsSync(join(model.checkpoint, 'adapter_model.safetensors')));
  assert.ok(texts.some((text) => /^step \d+\/36 .*reward \S+ {2}reward_best .*loss/.test(text)));
  assert.is(texts.filter((text) => /^answer \d to prompt/.test(text)).length, 6);
  whole = content(outputDir);
});

for (const [what, stopsAt] of [
  ['drawing', { reward: 2 }],
  ['training', { step: 14 }],
  ['the last step of a round', { step: 12 }],
] as const) {
  test(`stopped after ${what} and resumed = not stopped`, async () => {
    const outputDir = output();
    const failing: RewardFunction = (input) => {
      if ('reward' in stopsAt && input.step === stopsAt.reward) throw new Error('killed');
      return even(input);
    };
    // the function's own text is part of what scores are made of
    failing.toString = () => even.toString();
    const rewards = [
      { type: 'function', function: failing, name: 'even', normalize: 'running' as const },
      SETTINGS.rewards[1],
    ];
    const { error } = await run(outputDir, { rewards }, (step) => {
      if ('step' in stopsAt && step === stopsAt.step) throw new Error('killed');
    });
    assert.match(String(error), /killed|reward/);
    const resumed = await run(outputDir, { resumeFromCheckpoint: true });
    assert.is(resumed.error, undefined, String(resumed.error));
    assert.equal(content(outputDir), whole);
  });
}

test('patience with held-out prompts; all above a threshold; packing', async () => {
  const outputDir = output();
  const { result, error } = await run(outputDir, {
    evalDataset: join(MODEL, 'held-out.jsonl'),
    packing: true,
    blockSize: 40,
    learningRate: 0,
    // held-out rewards of a run that learns nothing are equal, unless running means move them
    rewards: [{ type: 'function', function: even }],
    raft: { ...SETTINGS.raft, rounds: 6, patience: 2, selection: 'positive', threshold: -9 },
  });
  assert.is(error, undefined, String(error));
  // nothing is learned: the first round stays the best
  assert.is(result!.rounds.length, 3);
  assert.ok(result!.stoppedEarly);
  const held = result!.rounds.map(({ heldOut }) => heldOut!.toFixed(9));
  assert.is(new Set(held).size, 1, held.join());
});

for (const [what, config, code] of [
  ['raft.threshold', { raft: { threshold: 1 } }, 'LMFLOW_RAFT_WITHOUT_EFFECT'],
  ['trainOnPrompt', { trainOnPrompt: true }, 'LMFLOW_RAFT_WITHOUT_EFFECT'],
  ['maxNewTokens', { raft: { maxNewTokens: 64 } }, 'LMFLOW_RAFT_NO_ROOM'],
  ['no rewards', { rewards: [] }, 'LMFLOW_REWARDS_MISSING'],
] as const) {
  test(`refused: ${what}`, async () => {
    const { error } = await run(output(), config);
    assert.is((error as { code?: string }).code, code, String(error));
  });
}

test.run();
