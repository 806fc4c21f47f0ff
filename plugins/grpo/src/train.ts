// What `lmflow grpo` does: rewards, model, prompts, reference, then rounds until the run ends.
import { createHash } from 'node:crypto';
import {
  MODELS,
  REWARDER,
  ROLLOUTS,
  SCORER,
  TRAINER,
  meanOf,
  type Config,
  type DrawSettings,
  type FitResult,
  type Objective,
  type PluginContext,
  type PromptSet,
  type RewardSession,
  type ScoringSession,
  type TrainingData,
} from '@lmflow/sdk';
import { referenceModel, type Model } from '@lmflow/sdk/model';
import { plannedSample, type ColumnsNeeded } from './columns.ts';
import { contextTooShort, settingMissing } from './errors.ts';
import { ANSWER_LOSSES } from './losses.ts';
import { answersObjective } from './objective.ts';
import { OnlineRun } from './online-run.ts';
import type { GrpoOptions } from './options.ts';
import {
  promptsOf,
  roundShape,
  roundsPerEpoch,
  shownShape,
  stepsOf,
  type RoundShape,
} from './rounds.ts';
import { grpoSettings, type GrpoSettings } from './settings.ts';

/** What a run is asked for. */
export interface TrainRequest {
  readonly config: Config;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** Hears of the run before it is opened, for hooks. */
  readonly began: (model: Model, run: OnlineRun, evaluates: boolean) => void;
}

/** What follows from the configuration alone. */
interface Setup {
  readonly options: GrpoOptions;
  readonly settings: GrpoSettings;
  readonly shape: RoundShape;
  readonly draw: DrawSettings;
}

/** The run of the command. */
export async function train(
  context: PluginContext<GrpoOptions>,
  request: TrainRequest,
): Promise<FitResult> {
  const { options, resolve, log } = context;
  const { config, signal } = request;
  const settings = grpoSettings(options);
  if (config.model === undefined) throw settingMissing('model', 'meta-llama/Llama-3.2-1B');
  if (config.dataset === undefined) throw settingMissing('dataset', 'prompts.json');
  const shape = roundShape(config, options, settings.numGenerations);
  const setup: Setup = { options, settings, shape, draw: drawSettings(options, settings) };
  log.info(`a round: ${shownShape(shape)}`);
  // first, because they check their options
  resolve(TRAINER);
  const rewards = await resolve(REWARDER).open({ signal });
  try {
    const source = config.model;
    const model = await resolve(MODELS).load({
      role: 'policy',
      purpose: 'training',
      source,
      signal,
    });
    const { maxPositions } = model.architecture;
    const maxTokens = maxPositions - options.maxCompletionLength;
    if (maxTokens < 1) throw contextTooShort(options.maxCompletionLength, maxPositions);
    const prompts = await resolve(ROLLOUTS).prompts({ model, maxTokens, signal });
    return await trainOn(context, request, { setup, model, prompts, rewards, source });
  } finally {
    await rewards.dispose();
  }
}

function drawSettings(options: GrpoOptions, { numGenerations }: GrpoSettings): DrawSettings {
  const { temperature, topK, topP, minP, repetitionPenalty, maxCompletionLength } = options;
  return {
    numGenerations,
    maxNewTokens: maxCompletionLength,
    temperature,
    topK,
    topP,
    repetitionPenalty,
    ...(minP === undefined ? {} : { minP }),
  };
}

interface Loaded {
  readonly setup: Setup;
  readonly model: Model;
  readonly prompts: PromptSet;
  readonly rewards: RewardSession;
  readonly source: string;
}

async function trainOn(
  context: PluginContext<GrpoOptions>,
  request: TrainRequest,
  loaded: Loaded,
): Promise<FitResult> {
  const { resolve, log } = context;
  const { dryRun, signal, began } = request;
  const { setup, model, prompts, rewards } = loaded;
  const { what, scored, columns } = await comparedWith(context, request, loaded);
  log.info(`reference: ${what}`);
  const policy = resolve(SCORER).open(model);
  const reference = scored && resolve(SCORER).open(scored);
  const online = onlineRun(context, request, loaded, { columns, policy, reference });
  began(model, online, prompts.evaluation !== undefined);
  try {
    const run = await resolve(TRAINER).open({
      model,
      objective: objectiveOf(setup, columns),
      data: trainingData(setup, columns, loaded),
      description: {
        ...prompts.description,
        round: shownShape(setup.shape),
        rewards: rewards.rewards.map(({ name, weight, gold }) =>
          gold ? `${name} (gold)` : `${weight} ${name}`,
        ),
        reference: what,
      },
      dryRun,
      signal,
    });
    try {
      await online.train(run);
      return await run.close();
    } finally {
      await run.dispose();
    }
  } finally {
    await policy.dispose();
    await reference?.dispose();
  }
}

interface Scoring {
  readonly columns: ColumnsNeeded;
  readonly policy: ScoringSession;
  readonly reference: ScoringSession | undefined;
}

function onlineRun(
  { options, resolve, log }: PluginContext<GrpoOptions>,
  { config, signal }: TrainRequest,
  { setup: { settings, shape, draw }, model, prompts, rewards }: Loaded,
  { columns, policy, reference }: Scoring,
): OnlineRun {
  return new OnlineRun({
    model,
    train: prompts.train,
    evaluation: prompts.evaluation,
    shape,
    draw,
    sampled: columns.sampled,
    experience: {
      settings,
      temperature: options.temperature,
      maskTruncated: options.maskTruncatedCompletions,
      stale: columns.stale,
      policy,
      reference,
    },
    rollouts: resolve(ROLLOUTS),
    rewards,
    seed: config.seed ?? 42,
    shuffle: options.shuffleDataset,
    shownAnswers: options.numCompletionsToPrint,
    log,
    signal,
  });
}

function objectiveOf({ options, settings, draw }: Setup, columns: ColumnsNeeded): Objective {
  const { temperature, disableDropout, maskTruncatedCompletions } = options;
  return answersObjective({
    numbers: settings.numbers,
    temperature,
    disableDropout,
    ...columns,
    facts: { ...settings.advantages, maskTruncatedCompletions, ...draw },
  });
}

/** The reference: in words, the model that scores a round by it, and what samples have of it. */
interface Compared {
  readonly what: string;
  readonly scored: Model | undefined;
  readonly columns: ColumnsNeeded;
}

async function comparedWith(
  { resolve }: PluginContext<GrpoOptions>,
  { config, dryRun, signal }: TrainRequest,
  { setup: { options, settings, shape }, model, source }: Loaded,
): Promise<Compared> {
  const { numbers } = settings;
  const columns = { stale: stepsOf(shape) > 1, sampled: unfiltered(options) };
  if (numbers.beta === 0) {
    return { what: 'none', scored: undefined, columns: { ...columns, reference: 'none' } };
  }
  const { kind, what, model: present } = referenceModel(model, config);
  const penalised = ANSWER_LOSSES[numbers.lossType].penalised === true;
  const reference = referenceSource(kind, penalised);
  if (reference === 'adapter') {
    return { what, scored: undefined, columns: { ...columns, reference } };
  }
  // what training changes is read once more, and stays as it is
  const scored =
    kind === 'start' && !dryRun
      ? await resolve(MODELS).load({ role: 'policy', purpose: 'inference', source, signal })
      : present;
  return { what, scored, columns: { ...columns, reference } };
}

function referenceSource(
  kind: 'adapter' | 'start',
  penalised: boolean,
): ColumnsNeeded['reference'] {
  if (penalised) return 'none';
  return kind === 'adapter' ? 'adapter' : 'column';
}

/** Whether answers are drawn from the policy's own distribution at the temperature of training. */
function unfiltered({ topK, topP, minP, repetitionPenalty }: GrpoOptions): boolean {
  return topK === 0 && topP === 1 && (minP ?? 0) === 0 && repetitionPenalty === 1;
}

function trainingData(
  { shape, options }: Setup,
  columns: ColumnsNeeded,
  { prompts, rewards }: Pick<Loaded, 'prompts' | 'rewards'>,
): TrainingData {
  const { numGenerations, microBatches } = shape;
  const rounds = roundsPerEpoch(prompts.train.length, shape);
  const answers = shape.prompts * numGenerations;
  const lengths = prompts.train.map(({ ids }) => ids.length);
  const longest =
    lengths.reduce((most, length) => Math.max(most, length)) + options.maxCompletionLength;
  const facts = [prompts.fingerprint, rewards.fingerprint, shape, options.shuffleDataset];
  return {
    samples: rounds * promptsOf(shape),
    fingerprint: createHash('sha256').update(JSON.stringify(facts)).digest('hex'),
    stepsPerEpoch: rounds * stepsOf(shape),
    sequencesPerStep: answers * microBatches,
    tokensPerStep: answers * microBatches * (meanOf(lengths) + options.maxCompletionLength),
    largest: [
      Array.from({ length: answers }, (_, index) => plannedSample(longest, index, columns)),
    ],
  };
}
