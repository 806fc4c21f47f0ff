// The stages of a round before its training: answers are drawn, rewarded and selected, each a file.
import {
  answersToReward,
  randomStream,
  type DrawSettings,
  type Logger,
  type RewardSession,
  type RewardState,
  type RolloutPrompt,
  type RolloutSource,
  type ScoringSession,
} from '@lmflow/sdk';
import { parameterHashes, type Model } from '@lmflow/sdk/model';
import { figuresOf, type Measured, type RoundFigures } from './figures.ts';
import type { RaftOptions } from './options.ts';
import { selectedOf } from './selection.ts';
import { stage, stageFile, type Stage } from './stages.ts';

/** A line of samples.jsonl. */
export interface SampleRow {
  /** Id of the prompt, and its place in the round. */
  readonly prompt: string;
  readonly place: number;
  readonly index: number;
  readonly ids: readonly number[];
  readonly text: string;
  readonly ended: boolean;
  /** Log-probability of the answer by the model itself. */
  readonly logprob: number;
  readonly seed: number;
}

/** A line of scores.jsonl, in the order of the samples. */
export interface ScoreRow {
  readonly total: number | null;
  readonly rewards: Readonly<Record<string, number | null>>;
  /** Log-probability of the answer by the model that training started from. */
  readonly start?: number;
}

/** A line of selected.jsonl. */
export interface SelectedRow {
  readonly prompt: string;
  readonly place: number;
  readonly index: number;
  readonly ids: readonly number[];
  readonly text: string;
  readonly reward: number;
}

/** What the rounds of a run share. */
export interface RoundContext {
  readonly options: RaftOptions;
  readonly model: Model;
  readonly prompts: readonly RolloutPrompt[];
  readonly fingerprint: string;
  readonly rollouts: RolloutSource;
  readonly rewards: RewardSession;
  /** Scores by the model that training started from, where the divergence is measured. */
  readonly start: ScoringSession | undefined;
  readonly outputDir: string;
  readonly seed: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A round that is ready to be trained. */
export interface PreparedRound {
  readonly selected: Stage<SelectedRow>;
  readonly figures: RoundFigures;
  /** Answers with their rewards, to be shown. */
  readonly samples: readonly SampleRow[];
  readonly scores: readonly ScoreRow[];
}

/** The prompts of a round: the data in random order, again and again. */
export function promptsOf(
  round: number,
  { prompts, options, seed }: Pick<RoundContext, 'prompts' | 'options' | 'seed'>,
): readonly RolloutPrompt[] {
  const { length } = prompts;
  const size = Math.min(options.promptsPerRound, length);
  const first = (round - 1) * size;
  const pass = Math.floor(first / length);
  // a round may go on into the next pass
  const order = [pass, pass + 1].flatMap((number) => [
    ...randomStream(seed, 'raft', 'prompts', number).permutation(length),
  ]);
  const begin = first - pass * length;
  return order.slice(begin, begin + size).map((index) => prompts[index]!);
}

/** Stages 1 to 3 of a round, as far as they are not there. */
export async function prepareRound(round: number, context: RoundContext): Promise<PreparedRound> {
  const { options, outputDir } = context;
  const prompts = promptsOf(round, context);
  const samples = await drawn(round, prompts, context);
  const scores = await scored(round, prompts, samples, context);
  const answers = samples.rows.map((sample, index): Measured => {
    const { total, rewards, start } = scores.rows[index]!;
    const golds = context.rewards.rewards.filter(({ gold }) => gold);
    return {
      prompt: sample.place,
      reward: total,
      gold: Object.fromEntries(golds.map(({ name }) => [name, rewards[name] ?? null])),
      ended: sample.ended,
      divergence: start === undefined ? undefined : sample.logprob - start,
      length: sample.ids.length,
      text: sample.text,
    };
  });
  const { selection, topFraction, threshold, mixedOnly, truncated, truncationPenalty, klCoef } =
    options;
  const settings = {
    selection,
    topFraction,
    threshold,
    mixedOnly,
    truncated,
    truncationPenalty,
    klCoef,
  };
  const candidates = answers.map(({ divergence = 0, ...answer }, index) => ({
    ...answer,
    divergence,
    content: samples.rows[index]!.ids.join(),
  }));
  const chosen = selectedOf(candidates, settings);
  const file = stageFile(outputDir, round, 'selected');
  const selected = await stage<SelectedRow>(file, [samples.hash, scores.hash, settings], () =>
    Promise.resolve({
      rows: chosen.map((index) => {
        const { prompt, place, index: own, ids, text } = samples.rows[index]!;
        return { prompt, place, index: own, ids, text, reward: answers[index]!.reward! };
      }),
    }),
  );
  return {
    selected,
    samples: samples.rows,
    scores: scores.rows,
    figures: figuresOf(round, answers, chosen),
  };
}

/** How answers are drawn, in a round and to held-out prompts. */
export function drawSettings({
  numGenerations,
  maxNewTokens,
  temperature,
  topK,
  topP,
}: RaftOptions): DrawSettings {
  return { numGenerations, maxNewTokens, temperature, topK, topP };
}

async function drawn(
  round: number,
  prompts: readonly RolloutPrompt[],
  { options, model, fingerprint, rollouts, outputDir, seed, log, signal }: RoundContext,
): Promise<Stage<SampleRow>> {
  const settings = drawSettings(options);
  const inputs = [
    [model.source, model.revision, await parameterHashes(model)],
    fingerprint,
    prompts.map(({ id }) => id),
    settings,
    seed,
  ];
  const total = prompts.length * settings.numGenerations;
  return stage<SampleRow>(stageFile(outputDir, round, 'samples'), inputs, async () => {
    const answers = await rollouts.draw({
      model,
      prompts,
      settings,
      seed,
      round,
      signal,
      progress: (done) => {
        log.progress(`round ${round}: ${done}/${total} answers drawn`);
      },
    });
    return {
      rows: answers.map(({ prompt, index, ids, text, ended, logprobs, seed: own }) => ({
        prompt: prompts[prompt]!.id,
        place: prompt,
        index,
        ids: [...ids],
        text,
        ended,
        logprob: logprobs.reduce((sum, logprob) => sum + logprob, 0),
        seed: own,
      })),
    };
  });
}

async function scored(
  round: number,
  prompts: readonly RolloutPrompt[],
  samples: Stage<SampleRow>,
  context: RoundContext,
): Promise<Stage<ScoreRow>> {
  const { rewards, start, outputDir, signal } = context;
  const inputs = [samples.hash, rewards.fingerprint, rewards.state(), start !== undefined];
  const scores = await stage<ScoreRow>(stageFile(outputDir, round, 'scores'), inputs, async () => {
    const rollouts = samples.rows.map(({ place, ids, ...row }) => ({
      ...row,
      prompt: place,
      ids: Int32Array.from(ids),
    }));
    const answers = answersToReward(rollouts, prompts);
    const found = await rewards.score({ answers, step: round, signal });
    const references = start && (await startLogProbs(start, samples.rows, prompts, signal));
    return {
      facts: { state: rewards.state() },
      rows: samples.rows.map((_, index) => ({
        total: found.totals[index]!,
        rewards: Object.fromEntries(found.rewards.map(({ name, raw }) => [name, raw[index]!])),
        ...(references ? { start: references[index]! } : {}),
      })),
    };
  });
  // running means are those after this round, also where the file was there
  if (scores.found) rewards.restore(scores.facts['state'] as RewardState);
  return scores;
}

async function startLogProbs(
  start: ScoringSession,
  samples: readonly SampleRow[],
  prompts: readonly RolloutPrompt[],
  signal: AbortSignal,
): Promise<number[]> {
  const pairs = samples.map(({ place, ids }) => ({
    context: prompts[place]!.ids,
    continuation: Int32Array.from(ids),
  }));
  const scores = await start.continuations(pairs, { signal });
  return scores.map(({ logprob }) => logprob);
}
