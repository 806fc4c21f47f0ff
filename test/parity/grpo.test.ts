// The steps of `lmflow grpo` against 20 steps of TRL's GRPOTrainer and RLOOTrainer on the same model,
// answers and rewards: every loss, several passes over a round, an adapter or all weights.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKernel } from 'lmflow';
import {
  MODELS,
  SCORER,
  TRAINER,
  definePlugin,
  type FitResult,
  type Pluggable,
  type PluginContext,
  type Rewards,
  type TrainingData,
} from '@lmflow/sdk';
import { withoutAdapter } from '@lmflow/sdk/model';
import scoring from '@lmflow/plugin-scoring';
import finetune from '@lmflow/preset-finetune';
import lora from '@lmflow/preset-lora';
import { totalsOf } from '../../plugins/grpo/src/advantages.ts';
import { plannedSample, type ColumnsNeeded } from '../../plugins/grpo/src/columns.ts';
import { experienceOf, type RoundAnswer } from '../../plugins/grpo/src/experience.ts';
import { ANSWER_LOSSES } from '../../plugins/grpo/src/losses.ts';
import { answersObjective } from '../../plugins/grpo/src/objective.ts';
import { grpoOptions, type GrpoOptions } from '../../plugins/grpo/src/options.ts';
import { grpoSettings } from '../../plugins/grpo/src/settings.ts';
import { json, modelFolder, setInitialAdapter } from './family.ts';

interface Given {
  readonly ids: readonly number[];
  readonly first: number;
  readonly second: number | null;
}

type RewardName = 'first' | 'second';

interface Case {
  readonly adapter: boolean;
  readonly rewards: readonly RewardName[];
  /** As TRL has it, in snake case. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly figures: Readonly<Record<string, readonly (number | null)[]>>;
}

const fixture = json<{
  readonly steps: number;
  readonly eos: number;
  readonly groups: readonly {
    readonly prompt_ids: readonly number[];
    readonly answers: readonly Given[];
  }[];
  readonly cases: Readonly<Record<string, Case>>;
}>('grpo', 'trl.json');
const root = mkdtempSync(join(tmpdir(), 'lmflow-grpo-parity-'));

/** Keys of TRL's configuration that are the trainer's here, or the rewards'. */
const ELSEWHERE = [
  'learning_rate',
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'steps_per_generation',
  'reward_weights',
  'reward_clip_range',
  'shuffle_dataset',
];

function sectionOf(name: string, { config }: Case): GrpoOptions {
  const camel = (key: string): string =>
    key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const own = Object.entries(config).flatMap(([key, value]) =>
    // TRL takes what has no effect
    ELSEWHERE.includes(key) || (key === 'use_bias_correction_kl' && !config['beta'])
      ? []
      : [[camel(key), value] as const],
  );
  return grpoOptions.parse({
    lossType: name === 'rloo' ? 'rloo' : undefined,
    ...Object.fromEntries(own),
  });
}

/** The rewards of answers, as the rewards plugin gives them. */
function rewardsOf(answers: readonly Given[], { rewards, config }: Case): Rewards {
  const weights = (config['reward_weights'] as number[] | undefined) ?? rewards.map(() => 1);
  const clip = config['reward_clip_range'] as [number, number] | undefined;
  const rows = answers.map((answer) => rewards.map((name) => answer[name]));
  return {
    totals: totalsOf(rows, weights).map((reward) =>
      reward === null || !clip ? reward : Math.min(clip[1], Math.max(clip[0], reward)),
    ),
    rewards: rewards.map((name, place) => {
      const values = rows.map((row) => row[place]!);
      return { name, gold: false, weight: weights[place]!, raw: values, values };
    }),
  };
}

/** The rounds of a case, cut into the micro-batches of their steps, several times over. */
async function train(
  { resolve }: PluginContext,
  name: string,
  one: Case,
  source: string,
): Promise<FitResult> {
  const options = sectionOf(name, one);
  const settings = grpoSettings(options);
  const { numbers, numGenerations } = settings;
  const perDevice = one.config['per_device_train_batch_size'] as number;
  const accumulation = (one.config['gradient_accumulation_steps'] as number | undefined) ?? 1;
  const inRound = (one.config['steps_per_generation'] as number | undefined) ?? accumulation;
  const stale = (inRound / accumulation) * options.numIterations > 1;
  const model = await resolve(MODELS).load({ role: 'policy', purpose: 'training', source });
  const penalised = ANSWER_LOSSES[numbers.lossType].penalised === true;
  const columns: ColumnsNeeded = {
    stale,
    reference: numbers.beta > 0 && !penalised ? 'adapter' : 'none',
    sampled: false,
  };
  const { temperature } = options;
  const objective = answersObjective({ numbers, temperature, disableDropout: true, ...columns });
  const scorer = resolve(SCORER);
  const [policy, reference] = [scorer.open(model), scorer.open(withoutAdapter(model))];
  const run = await resolve(TRAINER).open({ model, objective, data: dataOf(perDevice, columns) });
  try {
    for (let first = 0; run.end === undefined; first += (perDevice * inRound) / numGenerations) {
      const answers = Array.from({ length: perDevice * inRound }, (_, place) => {
        const group = (first + Math.floor(place / numGenerations)) % fixture.groups.length;
        const { prompt_ids: prompt, answers: given } = fixture.groups[group]!;
        return { prompt: Int32Array.from(prompt), given: given[place % numGenerations]! };
      });
      const { samples, figures } = await experienceOf(
        answers.map(({ prompt, given: { ids } }): RoundAnswer => ({
          prompt,
          ids: Int32Array.from(ids),
          ended: ids.at(-1) === fixture.eos,
        })),
        rewardsOf(
          answers.map(({ given }) => given),
          one,
        ),
        {
          settings,
          temperature,
          maskTruncated: options.maskTruncatedCompletions,
          stale,
          policy,
          reference: penalised && numbers.beta > 0 ? reference : undefined,
        },
      );
      pending = figures;
      const microBatches = Array.from({ length: inRound }, (_, micro) =>
        samples.slice(micro * perDevice, (micro + 1) * perDevice),
      );
      for (let pass = 0; pass < options.numIterations; pass++) {
        for (let micro = 0; micro < inRound; micro += accumulation) {
          await run.step(microBatches.slice(micro, micro + accumulation));
        }
      }
    }
    return await run.close();
  } finally {
    await run.dispose();
    await policy.dispose();
    await reference.dispose();
  }
}

/** Figures of a round, which the log of its first step has. */
let pending: Readonly<Record<string, number>> = {};

function dataOf(answers: number, columns: ColumnsNeeded): TrainingData {
  return {
    samples: fixture.groups.length,
    fingerprint: 'given answers',
    stepsPerEpoch: fixture.steps,
    sequencesPerStep: answers,
    tokensPerStep: 32 * answers,
    largest: [Array.from({ length: answers }, (_, member) => plannedSample(32, member, columns))],
  };
}

const commandOf = (name: string, one: Case): Pluggable =>
  definePlugin({
    name: 'test-steps',
    version: '1.0.0',
    sdk: '^1.0.0',
    requires: ['@lmflow/plugin-trainer', '@lmflow/plugin-scoring'],
    apply(context) {
      context.hooks.onModelLoad.tap('check', setInitialAdapter);
      context.hooks.onStepStart.tap(({ figures }) => {
        for (const [figure, value] of Object.entries(pending)) figures.add(figure, value);
        pending = {};
      });
      context.command({
        name: 'steps',
        summary: 'Trains on given answers.',
        run: async ({ config }) => ({ result: await train(context, name, one, config.model!) }),
      });
    },
  })();

async function logOf(name: string, one: Case): Promise<FitResult['log']> {
  const { config } = one;
  const kernel = await createKernel({
    presets: [one.adapter ? lora : finetune],
    plugins: [scoring, commandOf(name, one)],
    model: modelFolder('llama'),
    outputDir: join(root, name),
    maxSteps: fixture.steps,
    learningRate: config['learning_rate'] as number,
    perDeviceTrainBatchSize: config['per_device_train_batch_size'] as number,
    gradientAccumulationSteps: (config['gradient_accumulation_steps'] as number | undefined) ?? 1,
    lrSchedulerType: 'linear',
    warmupSteps: 0,
    loggingSteps: 1,
    saveStrategy: 'no',
    ...(one.adapter ? { lora: { r: 4, loraAlpha: 8 } } : {}),
  });
  try {
    return ((await kernel.run('steps')) as { result: FitResult }).result.log;
  } finally {
    await kernel.close();
  }
}

/**
 * Figures that TRL computes in another way: means of micro-batches' means where ours are those of the
 * step's tokens, and rewards before they are clipped. The loss is none of them.
 */
function otherwise(name: string, { config }: Case): readonly string[] {
  if (config['gradient_accumulation_steps'] !== undefined) return ['kl', 'entropy'];
  return name === 'rloo' ? ['reward', 'reward_std'] : [];
}

for (const [name, one] of Object.entries(fixture.cases)) {
  test(`${name}: 20 steps as TRL takes them`, async () => {
    const log = (await logOf(name, one)).filter((entry) => entry['grad_norm'] !== undefined);
    assert.is(log.length, fixture.steps);
    const off: Record<string, number> = {};
    for (const [figure, expected] of Object.entries(one.figures)) {
      if (otherwise(name, one).includes(figure)) continue;
      expected.forEach((value, step) => {
        if (value === null) return;
        const found = log[step]![figure];
        assert.ok(found !== undefined, `${figure} of step ${step + 1}`);
        off[figure] = Math.max(off[figure] ?? 0, Math.abs(found - value));
      });
    }
    for (const [figure, most] of Object.entries(off)) {
      assert.ok(most < 1e-3, `${figure} is off by ${most}: ${JSON.stringify(off)}`);
    }
  });
}

test.run();
