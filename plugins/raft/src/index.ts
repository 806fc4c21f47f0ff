// `lmflow raft`: rounds of answers that the model draws itself, of which the best are learned (Dong et
// al. 2023). Answers are plugin rollouts', rewards plugin rewards', training is the one loop.
import {
  LANGUAGE_MODELING,
  MODELS,
  REWARDER,
  ROLLOUTS,
  SCORER,
  TRAINER,
  definePlugin,
  trainingFlags,
  type CommandInvocation,
  type FitResult,
  type OpenRequest,
  type PluginContext,
  type PromptSet,
  type RewardSession,
  type ScoringSession,
  type TrainingFlags,
} from '@lmflow/sdk';
import { removeFolder } from '@lmflow/sdk/files';
import { referenceModel, type Model } from '@lmflow/sdk/model';
import { join } from 'node:path';
import { noRoom, settingMissing, withoutEffect } from './errors.ts';
import type { RoundFigures } from './figures.ts';
import { aliases, idleSetting, raftOptions, unsupported, type RaftOptions } from './options.ts';
import { runRounds, type RaftState } from './rounds.ts';
import { mostSelected } from './selection.ts';
import { hashOf } from './stages.ts';
import { batchingOf, sampleOf, stepsOf, type Batching } from './winners.ts';
import manifest from '../package.json' with { type: 'json' };

export { raftOptions, type RaftOptions } from './options.ts';
export type { RoundFigures } from './figures.ts';

/** What the command gives. */
export interface RaftResult extends FitResult {
  readonly rounds: readonly RoundFigures[];
}

declare module '@lmflow/sdk' {
  interface CommandResults {
    raft: RaftResult;
  }
}

/** What people set, for the help. */
const MOST_SET = [
  'model',
  'dataset',
  'evalDataset',
  'outputDir',
  'rewards',
  'raft.rounds',
  'raft.promptsPerRound',
  'raft.numGenerations',
  'raft.maxNewTokens',
  'raft.selection',
  'raft.patience',
  'numTrainEpochs',
  'perDeviceTrainBatchSize',
  'learningRate',
  'lora.r',
  'resumeFromCheckpoint',
  'overwriteOutputDir',
  'seed',
  'raft',
] as const;

const STATE = 'raft_state.json';
const DEFAULT_SEED = 42;
const DEFAULT_OUTPUT = 'trainer_output';

type Context = PluginContext<RaftOptions>;

const raft = definePlugin({
  name: '@lmflow/plugin-raft',
  version: manifest.version,
  sdk: '^1.0.0',
  requires: [
    '@lmflow/plugin-models',
    '@lmflow/plugin-trainer',
    '@lmflow/plugin-scoring',
    '@lmflow/plugin-finetune',
    '@lmflow/plugin-rewards',
    '@lmflow/plugin-rollouts',
  ],
  options: { section: 'raft', schema: raftOptions, aliases, unsupported },
  apply(context) {
    const { hooks } = context;
    const states = new WeakMap<Model, RaftState>();

    // the log of training begins with the reward
    hooks.onStepStart.tap(({ model, figures }) => {
      const last = states.get(model)?.rounds.at(-1);
      if (!last) return;
      figures.add('reward', last.reward);
      figures.add('reward_best', last.rewardBest);
      if (last.rewardSelected !== undefined) figures.add('reward_selected', last.rewardSelected);
    });
    hooks.onSave.tap(async (checkpoint) => {
      const state = states.get(checkpoint.model);
      if (state && checkpoint.kind === 'checkpoint') await checkpoint.writeJson(STATE, state);
    });
    hooks.onRestore.tap(async (checkpoint) => {
      const state = states.get(checkpoint.model);
      const saved = (await checkpoint.readJson(STATE)) as RaftState | undefined;
      if (state && saved) Object.assign(state, { training: undefined }, saved);
    });

    context.command({
      name: 'raft',
      summary: 'Trains a model on the best of its own answers, in rounds: RAFT.',
      options: trainingFlags,
      sections: MOST_SET,
      examples: ['lmflow raft --preset raft --model sft --dataset prompts.jsonl --output-dir out'],
      run: (invocation) => train(context, states, invocation),
    });
  },
});

async function train(
  context: Context,
  states: WeakMap<Model, RaftState>,
  { config, options: { dryRun }, signal }: CommandInvocation<TrainingFlags>,
): Promise<{ readonly result: RaftResult; readonly exitCode: number }> {
  const { options, resolve } = context;
  const idle = idleSetting(config, options);
  if (idle) throw withoutEffect(idle.key, idle.why);
  if (config.model === undefined) throw settingMissing('model', 'sft');
  if (config.dataset === undefined) throw settingMissing('dataset', 'prompts.jsonl');
  // first, because it checks its options
  resolve(TRAINER);
  const rewards = await resolve(REWARDER).open({ signal });
  let start: ScoringSession | undefined;
  try {
    const loading = { role: 'policy', source: config.model, signal } as const;
    const model = await resolve(MODELS).load({ ...loading, purpose: 'training' });
    const room = model.architecture.maxPositions - options.maxNewTokens;
    if (room < 1) throw noRoom(options.maxNewTokens, model.architecture.maxPositions);
    const prompts = await resolve(ROLLOUTS).prompts({ model, maxTokens: room, signal });
    const reference = referenceModel(model, config);
    const compares = options.klCoef > 0 || (options.logKl ?? reference.kind === 'adapter');
    if (compares && !dryRun) {
      const compared =
        reference.kind === 'adapter'
          ? reference.model
          : await resolve(MODELS).load({ ...loading, purpose: 'inference' });
      start = resolve(SCORER).open(compared);
    }
    const state: RaftState = { rounds: [], training: undefined, rewards: rewards.state() };
    states.set(model, state);
    const parts = { model, prompts, state, rewards, start, signal, dryRun };
    return await trainRounds(context, parts);
  } finally {
    await start?.dispose();
    await rewards.dispose();
  }
}

/** What a run is made of. */
interface Parts {
  readonly model: Model;
  readonly prompts: PromptSet;
  readonly state: RaftState;
  readonly rewards: RewardSession;
  readonly start: ScoringSession | undefined;
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
}

async function trainRounds(
  context: Context,
  parts: Parts,
): Promise<{ readonly result: RaftResult; readonly exitCode: number }> {
  const { options, resolve, log, config } = context;
  const { model, prompts, state, rewards, start, signal, dryRun } = parts;
  const { seed = DEFAULT_SEED, outputDir = DEFAULT_OUTPUT } = config;
  const batching = batchingOf(config, model.architecture.maxPositions, seed);
  const request = openRequest(context, { model, prompts, batching, state, rewards });
  const run = await resolve(TRAINER).open({ ...request, signal, dryRun });
  try {
    if (config['resumeFromCheckpoint'] === false && run.end === undefined) {
      await removeFolder(join(outputDir, 'raft'));
    }
    const rounds = {
      options,
      model,
      prompts: prompts.train,
      evaluation: prompts.evaluation,
      fingerprint: prompts.fingerprint,
      rollouts: resolve(ROLLOUTS),
      rewards,
      start,
      outputDir,
      seed,
      log,
      signal,
      run,
      state,
      batching,
      saves: config['saveStrategy'] !== 'no',
    };
    const stopped = (await run.between(() => runRounds(rounds))) ?? false;
    const interrupted = run.end === 'interrupted';
    const fit = await run.close();
    const result = { ...fit, stoppedEarly: interrupted || stopped, rounds: state.rounds };
    return { result, exitCode: interrupted ? 130 : 0 };
  } finally {
    await run.dispose();
  }
}

/** What the trainer is told before the first round. */
function openRequest(
  { options, resolve }: Context,
  run: {
    readonly model: Model;
    readonly prompts: PromptSet;
    readonly batching: Batching;
    readonly state: RaftState;
    readonly rewards: { readonly fingerprint: string };
  },
): OpenRequest {
  const { model, prompts, batching, state, rewards } = run;
  const { rounds, patience, numCompletionsToPrint: _shown, ...settings } = options;
  const { promptsPerRound, numGenerations, maxNewTokens } = settings;
  const asked = Math.min(promptsPerRound, prompts.train.length);
  const most = mostSelected(asked, asked * numGenerations, options);
  const stepsPerRound = stepsOf(most, batching);
  const perStep = Math.min(most, batching.size * batching.accumulation);
  const longest = prompts.train.reduce((one, other) =>
    other.ids.length > one.ids.length ? other : one,
  );
  const { packed = 0 } = batching;
  const room = Math.max(maxNewTokens, packed - longest.ids.length);
  const answer = Array<number>(room).fill(longest.ids[0]!);
  const largest = Array.from({ length: Math.min(batching.size, most) }, () =>
    sampleOf(longest, answer),
  );
  const epochAfter = (step: number): number => {
    const { training } = state;
    if (!training || step > training.start + training.steps) return step / stepsPerRound;
    return training.round - 1 + (step - training.start) / training.steps;
  };
  return {
    model,
    objective: {
      ...resolve(LANGUAGE_MODELING),
      name: 'raft',
      options: settings,
      shown: ['reward', 'reward_best', 'reward_selected'],
    },
    description: { ...prompts.description, raft: { rounds, patience: patience ?? null } },
    data: {
      samples: prompts.train.length,
      fingerprint: hashOf(JSON.stringify([prompts.fingerprint, rewards.fingerprint])),
      stepsPerEpoch: stepsPerRound,
      epochAfter,
      stepsUntil: () => rounds * stepsPerRound,
      sequencesPerStep: perStep,
      tokensPerStep: perStep * (longest.ids.length + maxNewTokens),
      largest: [largest],
    },
  };
}

export default raft;
