// The rewards of the configuration, open: they score at the same time, are normalised, clipped, weighed
// and added, and the hook onReward has the last word.
import { createHash } from 'node:crypto';
import type {
  AnswerToReward,
  Hooks,
  OpenReward,
  RewardRequest,
  Rewards,
  RewardSession,
  RewardState,
  RewardValues,
} from '@lmflow/sdk';
import { shownAnswer, shownAnswers } from './answers.ts';
import { rewardCount, rewardState, rewardValue } from './errors.ts';
import { guardedCall } from './guarded-call.ts';
import {
  deviation,
  merged,
  momentsOf,
  NO_MOMENTS,
  normalized,
  type Moments,
} from './normalization.ts';
import type { CheckedReward } from './settings.ts';

/** A reward with what it opened. */
export interface ReadyReward extends CheckedReward {
  readonly open: OpenReward;
}

type Clip = readonly [number, number] | undefined;

export class Session implements RewardSession {
  readonly rewards: readonly ReadyReward[];
  readonly fingerprint: string;
  readonly #clip: Clip;
  readonly #hook: Hooks['onReward'];
  #running: ReadonlyMap<string, Moments>;

  constructor(rewards: readonly ReadyReward[], clip: Clip, hook: Hooks['onReward']) {
    this.rewards = rewards;
    this.#clip = clip;
    this.#hook = hook;
    this.#running = new Map(
      rewards
        .filter(({ normalize }) => normalize === 'running')
        .map(({ name }) => [name, NO_MOMENTS] as const),
    );
    this.fingerprint = fingerprintOf(rewards, clip);
  }

  async score(request: RewardRequest): Promise<Rewards> {
    const { answers, step, purpose = 'training', signal } = request;
    const raw = answers.length === 0 ? this.rewards.map(() => []) : await this.#raw(request);
    signal?.throwIfAborted();
    const learned = new Map<string, Moments>();
    const rewards = this.rewards.map((reward, index): RewardValues => {
      const { name, gold, weight, clip } = reward;
      const given = raw[index]!;
      if (reward.normalize === 'running' && purpose === 'training') {
        learned.set(name, momentsOf(given));
      }
      const values = clipped(this.#normalized(reward, given, learned.get(name)), clip);
      return { name, gold, weight, raw: given, values };
    });
    const totals = clipped(
      answers.map((_, index) => total(rewards, index)),
      this.#clip,
    );
    const given: Rewards = { totals, rewards };
    const result = await this.#hook.promise(given, {
      ...request,
      purpose,
      ...(step === undefined ? {} : { step }),
    });
    checkTotals(result, answers);
    // last, so that a call that fails changes nothing
    for (const [name, moments] of learned) {
      this.#running = new Map(this.#running).set(name, merged(this.#running.get(name)!, moments));
    }
    return result;
  }

  state(): RewardState {
    return Object.fromEntries(this.#running);
  }

  restore(state: RewardState): void {
    for (const name of new Set([...Object.keys(state), ...this.#running.keys()])) {
      if (!this.#running.has(name) || !state[name]) throw rewardState(name);
    }
    this.#running = new Map(Object.entries(state));
  }

  async dispose(): Promise<void> {
    for (const { open } of this.rewards) await open.dispose?.();
  }

  /** Of all rewards; where one fails, the others hear that nobody waits for them. */
  async #raw({ answers, step, signal }: RewardRequest): Promise<readonly (number | null)[][]> {
    const failure = new AbortController();
    const stopping = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
    const calls = this.rewards.map(async ({ name, timeout, open: { score } }) => [
      ...(await guardedCall({ name, timeout, score }, answers, { step, signal: stopping })),
    ]);
    try {
      return await Promise.all(calls);
    } catch (cause) {
      failure.abort(cause);
      await Promise.allSettled(calls);
      throw cause;
    }
  }

  #normalized(
    { name, normalize }: CheckedReward,
    values: readonly (number | null)[],
    learned: Moments | undefined,
  ): readonly (number | null)[] {
    if (normalize === undefined) return values;
    if (typeof normalize === 'object') {
      return normalized(values, normalize.mean ?? 0, normalize.std ?? 1);
    }
    const moments =
      normalize === 'batch'
        ? momentsOf(values)
        : merged(this.#running.get(name)!, learned ?? NO_MOMENTS);
    return normalized(values, moments.mean, deviation(moments));
  }
}

function total(rewards: readonly RewardValues[], index: number): number | null {
  const applying = rewards.filter(({ gold, values }) => !gold && values[index] !== null);
  if (applying.length === 0) return null;
  return applying.reduce((sum, { weight, values }) => sum + weight * values[index]!, 0);
}

function clipped(values: readonly (number | null)[], clip: Clip): (number | null)[] {
  if (!clip) return [...values];
  return values.map((value) =>
    value === null ? null : Math.min(clip[1], Math.max(clip[0], value)),
  );
}

/** Taps of onReward may change totals: they are numbers still. */
function checkTotals({ totals }: Rewards, answers: readonly AnswerToReward[]): void {
  if (totals.length !== answers.length) {
    throw rewardCount('onReward', `${totals.length} totals`, shownAnswers(answers));
  }
  const wrong = totals.findIndex((value) => value !== null && !Number.isFinite(value));
  if (wrong >= 0) throw rewardValue('onReward', shownAnswer(answers, wrong), totals[wrong]);
}

function fingerprintOf(rewards: readonly ReadyReward[], clip: Clip): string {
  const facts = rewards.map(
    ({ kind, name, weight, gold, normalize, clip: own, options, open: { fingerprint } }) => [
      kind.name,
      name,
      weight,
      gold,
      normalize,
      own,
      options,
      fingerprint,
    ],
  );
  return createHash('sha256')
    .update(JSON.stringify([facts, clip]))
    .digest('hex');
}
