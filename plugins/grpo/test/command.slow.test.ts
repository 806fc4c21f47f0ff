// The command on a tiny model: rewards rise, the same training in any micro-batches, killed and resumed
// between two passes over a round, every reference; its figures, and what it refuses.
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { definePlugin, type FitResult, type Pluggable, type RewardFunction } from '@lmflow/sdk';
import { readSafetensors } from '@lmflow/sdk/formats';
import { writeWordTokenizer } from '@lmflow/sdk/testing';
import preset from '@lmflow/preset-grpo';

const root = mkdtempSync(join(tmpdir(), 'lmflow-grpo-'));
const model = join(root, 'model');
cpSync(new URL('../../../test/fixtures/families/llama', import.meta.url), model, {
  recursive: true,
});
writeWordTokenizer(model);
writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));

const words = (count: number, from: number): string =>
  Array.from({ length: count }, (_, place) => `t${3 + ((from + 7 * place) % 90)}`).join(' ');
const dataset = join(root, 'prompts.json');
writeFileSync(
  dataset,
  JSON.stringify(
    Array.from({ length: 8 }, (_, index) => ({
      prompt: words(2 + (index % 3), index),
      answer: `t${10 + index}`,
    })),
  ),
);

/** Share of words with an even number. */
const even: RewardFunction = ({ completions }) =>
  completions.map((text) => {
    const numbers = text.match(/\d+/g) ?? [];
    return (
      numbers.filter((number) => Number(number) % 2 === 0).length / Math.max(1, numbers.length)
    );
  });
/** 1 for the word that the record asks for; of two prompts nobody knows. */
const asked: RewardFunction = ({ completions, columns }) =>
  completions.map((text, index) => {
    const word = columns['answer']![index] as string;
    return word === 't12' ? null : Number(text.includes(word));
  });

interface Run {
  readonly result: FitResult;
  readonly warnings: readonly string[];
  readonly lines: readonly string[];
  readonly outputDir: string;
}

let count = 0;
async function run(
  config: Readonly<Record<string, unknown>> = {},
  plugins: readonly Pluggable[] = [],
): Promise<Run> {
  const outputDir = (config['outputDir'] as string | undefined) ?? join(root, `out${count++}`);
  const { grpo = {}, ...rest } = config as { grpo?: Readonly<Record<string, unknown>> };
  const { kernel, log } = await createTestKernel({
    presets: [preset],
    plugins,
    config: {
      model,
      dataset,
      datasetCacheDir: join(root, 'cache'),
      perDeviceTrainBatchSize: 4,
      gradientAccumulationSteps: 1,
      maxSteps: 4,
      learningRate: 5e-3,
      loggingSteps: 1,
      lora: { r: 2 },
      rewards: [even],
      ...rest,
      outputDir,
      grpo: { numGenerations: 4, maxCompletionLength: 8, ...grpo },
    },
  });
  try {
    const { result } = (await kernel.run('grpo')) as { result: FitResult };
    return { result, warnings: log.texts('warn'), lines: log.texts('info'), outputDir };
  } finally {
    await kernel.close();
  }
}

const figures = ({ result }: Run, name: string): number[] =>
  result.log.flatMap((entry) => (entry['grad_norm'] === undefined ? [] : [entry[name]!]));

function near(found: readonly number[], expected: readonly number[], bound: number): void {
  assert.is(found.length, expected.length);
  found.forEach((value, index) => {
    const off = Math.abs(value - expected[index]!);
    assert.ok(off <= bound, `${index}: ${value} and ${expected[index]} differ by ${off}`);
  });
}

async function adapterOf({ outputDir }: Run): Promise<Map<string, Float32Array>> {
  const tensors = await readSafetensors(join(outputDir, 'adapter_model.safetensors'));
  return new Map([...tensors].map(([name, { data }]) => [name, data]));
}

const whole = await run();

test('the first loss is minus the mean advantage, and what the sampler said is what training finds', () => {
  // advantages of a group are about 0; each token of an answer has its answer's
  assert.ok(Math.abs(figures(whole, 'loss')[0]!) < 1, figures(whole, 'loss').join());
  for (const off of figures(whole, 'sampling/sampling_logp_difference/mean')) {
    assert.ok(off < 1e-5, `sampler and training differ by ${off}`);
  }
  for (const name of ['reward', 'reward_std', 'rewards/even/mean', 'completions/mean_length']) {
    assert.ok(figures(whole, name).every(Number.isFinite), name);
  }
  assert.equal(figures(whole, 'clip_ratio/region_mean'), [0, 0, 0, 0]);
});

test('answers are shown with each entry of the log, with reward and advantage', () => {
  const shown = whole.lines.filter((line) => /^reward .* advantage .* -> /.test(line));
  assert.is(shown.length, 2 * 4);
});

test('rewards rise', async () => {
  const longer = await run({ maxSteps: 24, learningRate: 0.03 });
  const rewards = figures(longer, 'reward');
  const mean = (numbers: readonly number[]): number =>
    numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const [first, last] = [mean(rewards.slice(0, 4)), mean(rewards.slice(-4))];
  assert.ok(last > first + 0.15, `${first} at first, ${last} at last`);
});

test('4 prompts one by one are 4 at once, for every loss and reference', async () => {
  for (const grpo of [
    { lossType: 'dapo', beta: 0.1 },
    { lossType: 'grpo', maskTruncatedCompletions: true },
    { lossType: 'rloo', beta: 0.1, numIterations: 2 },
  ]) {
    const once = await run({ grpo, maxSteps: 3 });
    const parts = await run({
      grpo,
      maxSteps: 3,
      perDeviceTrainBatchSize: 1,
      gradientAccumulationSteps: 4,
      paddingFree: false,
    });
    near(figures(parts, 'loss'), figures(once, 'loss'), 2e-5);
    assert.is(figures(parts, 'reward')[0], figures(once, 'reward')[0]);
  }
});

test('killed and resumed is not killed, between two passes over a round too', async () => {
  const grpo = { numIterations: 3, beta: 0.05 };
  const rewards = [{ type: 'function', function: even, normalize: 'running' }];
  const given = { grpo, rewards, maxSteps: 8, saveSteps: 2 };
  const kept = await run(given);
  const stop = definePlugin({
    name: 'test-stop',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: ({ hooks }) => {
      hooks.onStep.tap((step) => {
        if (step.number === 5) throw new Error('killed');
      });
    },
  });
  const outputDir = join(root, 'resumed');
  await run({ ...given, outputDir }, [stop()]).catch(() => undefined);
  assert.ok(existsSync(join(outputDir, 'checkpoint-4')));
  const resumed = await run({ ...given, outputDir, resumeFromCheckpoint: true });
  const other = await adapterOf(resumed);
  for (const [name, data] of await adapterOf(kept)) assert.equal(other.get(name), data, name);
  near(figures(resumed, 'loss'), figures(kept, 'loss'), 0);
});

test('a reference by weights, and of an adapter that training continues', async () => {
  const first = await run({ maxSteps: 1 });
  const grpo = { beta: 0.1 };
  const continued = await run({
    grpo,
    maxSteps: 2,
    lora: { adapter: first.outputDir },
  });
  const [start, next] = figures(continued, 'kl');
  assert.ok(start! < 1e-9 && next! > 1e-7, `${start}, ${next}`);
});

test('several rewards, one of which does not apply everywhere; held-out prompts', async () => {
  const { result } = await run({
    rewards: [even, { type: 'function', name: 'asked', weight: 2, function: asked }],
    evalDataset: dataset,
    evalStrategy: 'steps',
    evalSteps: 2,
    grpo: { multiObjectiveAggregation: 'normalize_then_sum' },
  });
  const evaluated = result.log.filter((entry) => entry['eval_reward'] !== undefined);
  assert.is(evaluated.length, 2);
  for (const name of ['reward', 'rewards/even/mean', 'rewards/asked/mean']) {
    assert.ok(Number.isFinite(result.evaluation![name]), name);
  }
});

test('a first round that teaches nothing is told of', async () => {
  const nothing: RewardFunction = ({ completions }) => completions.map(() => 1);
  const { warnings, result } = await run({ rewards: [nothing], maxSteps: 1 });
  assert.ok(
    warnings.some((text) => text.includes('have the same reward')),
    warnings.join('\n'),
  );
  assert.is(result.log[0]!['frac_reward_zero_std'], 1);
});

test('a dry run prints the plan and draws nothing', async () => {
  let calls = 0;
  const counted: RewardFunction = ({ completions }) => {
    calls++;
    return completions.map(() => 1);
  };
  const { lines, outputDir } = await (async () => {
    const kernel = await createTestKernel({
      presets: [preset],
      config: {
        model,
        dataset,
        outputDir: join(root, 'dry'),
        perDeviceTrainBatchSize: 2,
        gradientAccumulationSteps: 2,
        rewards: [counted],
        lora: { r: 2 },
        grpo: { maxCompletionLength: 8, numIterations: 2, stepsPerGeneration: 4 },
      },
    });
    try {
      await kernel.kernel.run('grpo', { options: { dryRun: true } });
      return { lines: kernel.log.texts('info'), outputDir: join(root, 'dry') };
    } finally {
      await kernel.kernel.close();
    }
  })();
  assert.is(calls, 0);
  assert.not.ok(existsSync(outputDir));
  assert.ok(
    lines.includes('a round: 8 prompts x 8 answers, 2 passes of 2 steps'),
    lines.join('\n'),
  );
});

const refused: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
  [{ model: undefined }, /SETTING_MISSING/],
  [{ dataset: undefined }, /SETTING_MISSING/],
  [{ rewards: [] }, /REWARDS_MISSING/],
  [{ grpo: { normalizeAdvantages: true } }, /GRPO_NO_EFFECT/],
  [{ grpo: { useBiasCorrectionKl: false } }, /GRPO_NO_EFFECT/],
  [{ grpo: { lossType: 'cispo', epsilon: 0.2 } }, /GRPO_NO_EFFECT/],
  [{ grpo: { lossType: 'rloo', scaleRewards: 'batch' } }, /GRPO_NO_EFFECT/],
  [{ grpo: { rewardWeights: [1] } }, /OPTION_UNSUPPORTED/],
  [{ grpo: { stepsPerGeneration: 3 }, gradientAccumulationSteps: 2 }, /GRPO_ROUND/],
  [{ perDeviceTrainBatchSize: 9 }, /GRPO_PROMPTS/],
  [{ grpo: { maxCompletionLength: 1000 } }, /GRPO_CONTEXT/],
  [{ rewards: [() => [1]] }, /REWARD_COUNT/],
];

for (const [config, code] of refused) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    const error = await run(config).then(
      () => ({ code: 'no error' }),
      (caught: unknown) => caught as { code: string },
    );
    assert.match(error.code, code);
  });
}

test.after(() => {
  rmSync(root, { recursive: true, force: true });
});
test.run();
