// A run: rounds of answers by the policy as it is, their rewards and advantages, and the steps on them.
// What a resumed run needs lies in the checkpoint.
import {
  answersToReward,
  rewardFigures,
  type Checkpoint,
  type DrawSettings,
  type Logger,
  type Rewards,
  type RewardSession,
  type Rollout,
  type RolloutPrompt,
  type RolloutSource,
  type TrainingRun,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { experienceOf, lengthFigures, type ExperienceRequest } from './experience.ts';
import { placeAfter, promptIndices, promptsOf, type RoundShape } from './rounds.ts';
import { restoredRounds, saveRounds, type Round } from './saved-round.ts';
import { shownAnswers, type ShownAnswer } from './shown-answers.ts';

/** What a run is made of. */
export interface OnlineRequest {
  readonly model: Model;
  readonly train: readonly RolloutPrompt[];
  readonly evaluation: readonly RolloutPrompt[] | undefined;
  readonly shape: RoundShape;
  readonly draw: DrawSettings;
  /** Whether answers come from the policy's own distribution, so that training may compare. */
  readonly sampled: boolean;
  readonly experience: ExperienceRequest;
  readonly rollouts: RolloutSource;
  readonly rewards: RewardSession;
  readonly seed: number;
  readonly shuffle: boolean;
  readonly shownAnswers: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Rounds of evaluations: the same random numbers at each, and none of training's. */
const EVALUATION_ROUND = -1;

export class OnlineRun {
  readonly #request: OnlineRequest;
  #round: Round | undefined;
  /** Of a round whose first step is to come. */
  #figures: Readonly<Record<string, number>> = {};

  constructor(request: OnlineRequest) {
    this.#request = request;
  }

  /** Steps until the run ends. */
  async train(run: TrainingRun): Promise<void> {
    const { shape } = this.#request;
    while (run.end === undefined) {
      const { round, step, first } = placeAfter(run.steps, shape);
      if (this.#round?.number !== round) {
        const drawn = await run.between(() => this.#drawRound(round, run.steps + 1));
        if (!drawn) continue;
        if (round === 0) this.#checkFirst(drawn);
        this.#round = drawn;
      }
      if (first) this.#figures = this.#round.figures;
      await run.step(this.#microBatches(this.#round, step));
    }
  }

  /** Figures of the round that begins, once. */
  takeFigures(): Readonly<Record<string, number>> {
    const figures = this.#figures;
    this.#figures = {};
    return figures;
  }

  /** Answers of the round that is trained. */
  get shown(): readonly ShownAnswer[] {
    return this.#round?.shown ?? [];
  }

  async save(checkpoint: Checkpoint): Promise<void> {
    const { shape, rewards } = this.#request;
    const { round } = placeAfter(checkpoint.step, shape);
    await saveRounds(checkpoint, {
      rewards: rewards.state(),
      ...(this.#round?.number === round ? { round: this.#round } : {}),
    });
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    const saved = await restoredRounds(checkpoint);
    if (!saved) return;
    this.#request.rewards.restore(saved.rewards);
    this.#round = saved.round;
  }

  /** Figures of one answer to each held-out prompt. */
  async evaluate(signal: AbortSignal | undefined): Promise<Record<string, number>> {
    const { evaluation = [], draw } = this.#request;
    const settings = { ...draw, numGenerations: 1 };
    const rollouts = await this.#draw(evaluation, settings, EVALUATION_ROUND, signal);
    const rewards = await this.#score(evaluation, rollouts, { signal, purpose: 'evaluation' });
    return { ...rewardFigures(rewards), ...lengthFigures(rollouts) };
  }

  async #drawRound(number: number, step: number): Promise<Round> {
    const { train, shape, seed, shuffle, draw, sampled, log, signal } = this.#request;
    const indices = promptIndices(number, train.length, shape, { seed, shuffle });
    const prompts = indices.map((index) => train[index]!);
    const started = performance.now();
    const rollouts = await this.#draw(prompts, draw, number, signal);
    const drawn = performance.now();
    const rewards = await this.#score(prompts, rollouts, { signal, purpose: 'training', step });
    const scored = performance.now();
    const { samples, figures, advantages } = await experienceOf(
      rollouts.map(({ prompt, ids, ended, drawnLogprobs }) => ({
        prompt: prompts[prompt]!.ids,
        ids,
        ended,
        ...(sampled ? { sampled: drawnLogprobs } : {}),
      })),
      rewards,
      { ...this.#request.experience, signal },
    );
    log.progress(`round ${number + 1}: ${promptsOf(shape)} prompts answered`);
    return {
      number,
      samples,
      figures: {
        ...figures,
        'time/rollouts': (drawn - started) / 1000,
        'time/rewards': (scored - drawn) / 1000,
      },
      shown: shownAnswers(
        rollouts,
        prompts.map(({ prompt }) => prompt),
        rewards,
        advantages,
        this.#request.shownAnswers,
      ),
    };
  }

  #draw(
    prompts: readonly RolloutPrompt[],
    settings: DrawSettings,
    round: number,
    signal: AbortSignal | undefined,
  ): Promise<Rollout[]> {
    const { model, rollouts, seed, log } = this.#request;
    const all = prompts.length * settings.numGenerations;
    return rollouts.draw({
      model,
      prompts,
      settings,
      seed,
      round,
      ...(signal ? { signal } : {}),
      progress: (answers) => {
        log.progress(`answers  ${answers}/${all}`);
      },
    });
  }

  #score(
    prompts: readonly RolloutPrompt[],
    rollouts: readonly Rollout[],
    {
      signal,
      ...rest
    }: {
      readonly signal: AbortSignal | undefined;
      readonly purpose: 'training' | 'evaluation';
      readonly step?: number;
    },
  ): Promise<Rewards> {
    return this.#request.rewards.score({
      answers: answersToReward(rollouts, prompts),
      ...rest,
      ...(signal ? { signal } : {}),
    });
  }

  #microBatches({ samples }: Round, step: number): Round['samples'][] {
    const { prompts, microBatches, numGenerations } = this.#request.shape;
    const size = prompts * numGenerations;
    return Array.from({ length: microBatches }, (_, micro) => {
      const first = (step * microBatches + micro) * size;
      return samples.slice(first, first + size);
    });
  }

  /** A first round that teaches nothing is told at once. */
  #checkFirst({ figures }: Round): void {
    const { log, draw, experience } = this.#request;
    if (figures['completions/clipped_ratio'] === 1) {
      log.warn(
        `no answer of the first round ended within ${draw.maxNewTokens} tokens` +
          (experience.maskTruncated ? ': none is trained' : '') +
          ': raise grpo.maxCompletionLength, or check the end tokens of the model',
      );
    }
    if (figures['frac_reward_zero_std'] === 1) {
      log.warn(
        'the answers to each prompt of the first round have the same reward: there is nothing to ' +
          'learn from them. A loss of 0 is right then; see the answers that the log shows',
      );
    }
  }
}
