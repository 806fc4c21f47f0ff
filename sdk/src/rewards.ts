// How good answers are, for methods that learn from their own samples: what a reward is, the table of
// kinds of rewards, and the service that computes those of the configuration.
import type { z } from 'zod';
import type { ChatMessage } from './chat.ts';
import type { AnswerPrompt } from './dataset.ts';
import { registry } from './registry.ts';

/** What a reward sees of answers: lists of one length, and one place is one answer. */
export interface RewardInput {
  /** A text, or messages where the prompt is a conversation; those of several answers are repeated. */
  readonly prompts: readonly (string | readonly ChatMessage[])[];
  readonly completions: readonly string[];
  /** Tokens of the model that answered, its EOS token included; undefined where nobody knows them. */
  readonly completionIds: readonly (Int32Array | undefined)[];
  /** Whether an answer ended by itself, and was not cut; undefined where nobody knows. */
  readonly ended: readonly (boolean | undefined)[];
  /** Further columns of the data (`answer`, `solution`); undefined in the place of a record without. */
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
  /** The step or round of the run that asks, where it is one. */
  readonly step: number | undefined;
  /** Aborted where the run stops, or the reward's time is up. */
  readonly signal: AbortSignal;
}

/**
 * A reward as a function: a number for each answer, null where the reward does not apply to it. NaN,
 * infinities, another number of values and whatever it throws end the run.
 */
export type RewardFunction = (
  input: RewardInput,
) => readonly (number | null)[] | Promise<readonly (number | null)[]>;

/** A reward that is ready to score. Calls may come at the same time. */
export interface OpenReward {
  readonly score: RewardFunction;
  /**
   * Identifies what it computes (a hash of a model, the text of a function), so that stages whose
   * results lie in files know when they are stale; its options need not be in it.
   */
  readonly fingerprint?: string;
  dispose?(): Promise<void> | void;
}

/** What a reward that is being opened is told. */
export interface RewardOpening {
  /** The name of this reward, for messages. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * A kind of reward: `rewards: [{ type: 'exactMatch', ... }]` names it in `type`, and may use it
 * several times.
 */
export interface RewardKind<S extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** What it measures, for messages. */
  readonly description: string;
  /**
   * Its own options, which stand beside `type` in the configuration. Every field has
   * `.describe(...)`. `name`, `type`, `weight`, `gold`, `clip`, `normalize` and `timeout` are every
   * reward's.
   */
  readonly options?: S;
  /** Seconds that a call may take where the configuration has no `timeout`; default 600. */
  readonly timeout?: number;
  /** Loads what it needs. Throws a usageError for options that make no sense. */
  open(
    options: z.output<S>,
    opening: RewardOpening,
  ): OpenReward | RewardFunction | Promise<OpenReward | RewardFunction>;
}

/** Types a kind of reward by the schema of its options (identity). */
export function defineReward<S extends z.ZodObject>(kind: RewardKind<S>): RewardKind {
  return kind;
}

/** Kinds of rewards, by the names that `type` chooses from. */
export const REWARDS = registry<RewardKind>('rewards', 'reward', '@lmflow/plugin-rewards');

/** How a reward becomes comparable with others: less the mean, divided by the standard deviation. */
export type RewardNormalization =
  'batch' | 'running' | { readonly mean?: number; readonly std?: number };

/** A reward of the configuration in its object form; the other keys are options of its kind. */
export interface RewardRow {
  /** A row of REWARDS. */
  readonly type: string;
  /** Name in logs and files; default: `type`, or the name of the function. */
  readonly name?: string;
  /** Factor in the total; default 1. */
  readonly weight?: number;
  /** Logged beside the others, and never trained on: it is no part of the total. */
  readonly gold?: boolean;
  /** `batch`: by the answers of one request; `running`: by all of the run so far. Before `clip`. */
  readonly normalize?: RewardNormalization;
  /** Least and greatest value, after `normalize` and before `weight`. */
  readonly clip?: readonly [number, number];
  /** Seconds that scoring the answers of one request may take. */
  readonly timeout?: number;
  readonly [option: string]: unknown;
}

/** A reward of the configuration: a kind without options, a function, or a row. */
export type RewardSetting = string | RewardFunction | RewardRow;

/** An answer to be rewarded, and what is known of it. */
export interface AnswerToReward {
  readonly prompt: AnswerPrompt;
  readonly answer: string;
  /** Tokens of the model that answered, its EOS token included. */
  readonly ids?: Int32Array;
  /** Whether it ended by itself (`finishReason` is `stop`), and was not cut. */
  readonly ended?: boolean;
  /** Further columns of its record. */
  readonly columns?: Readonly<Record<string, unknown>>;
  /** For messages: `prompts.jsonl, line 3, answer 2`. Default: its place in the request. */
  readonly name?: string;
}

/** Answers that are rewarded together: `batch` normalises over them. */
export interface RewardRequest {
  readonly answers: readonly AnswerToReward[];
  /** Step or round of the run, for functions. */
  readonly step?: number;
  /** Means that are `running` learn from answers of training alone. Default: training. */
  readonly purpose?: 'training' | 'evaluation';
  readonly signal?: AbortSignal;
}

/** What one reward says of the answers of a request, in their order. */
export interface RewardValues {
  readonly name: string;
  /** No part of the totals. */
  readonly gold: boolean;
  readonly weight: number;
  /** As the reward gave them; null where it does not apply. */
  readonly raw: readonly (number | null)[];
  /** Normalised and clipped, without the weight: what the total is made of. */
  readonly values: readonly (number | null)[];
}

/** The rewards of a request's answers. */
export interface Rewards {
  /**
   * What is trained on: the weighted sum of the rewards that apply to an answer, clipped by
   * `rewardClip`; null where none applies (an advantage of 0, never selected).
   */
  readonly totals: readonly (number | null)[];
  /** Each reward, in the order of the configuration, gold ones included. */
  readonly rewards: readonly RewardValues[];
}

/** Means of rewards with `normalize: 'running'`, by name; plain data, to be kept in checkpoints. */
export type RewardState = Readonly<
  Record<string, { readonly count: number; readonly mean: number; readonly squares: number }>
>;

/** The configuration's rewards, ready to score. */
export interface RewardSession {
  readonly rewards: readonly Pick<RewardValues, 'name' | 'gold' | 'weight'>[];
  /** Identifies the rewards and their options: files made with another are stale. */
  readonly fingerprint: string;
  /**
   * Rewards answers: every reward at the same time, then the totals, then the hook onReward. Throws
   * LMFLOW_REWARD_FAILED, _VALUE, _COUNT and _TIMEOUT, each with the reward and the answer. A call
   * that fails changes nothing, and can be made again.
   */
  score(request: RewardRequest): Promise<Rewards>;
  /** Running means so far. */
  state(): RewardState;
  /** Goes on from a checkpoint's. Throws LMFLOW_REWARD_STATE where it is of other rewards. */
  restore(state: RewardState): void;
  dispose(): Promise<void>;
}

/** The rewards that the configuration names (plugin rewards, key `rewards`). */
export interface Rewarder {
  /**
   * Loads all of them. Throws LMFLOW_REWARDS_MISSING where the configuration has none to train on,
   * unless `gold` says that they are for measuring alone.
   */
  open(options?: {
    readonly gold?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<RewardSession>;
}

/**
 * The figures of a log: `reward` and `reward_std` of the totals, `rewards/<name>/mean` and `/std` of
 * each reward as it was given (TRL's names). Deviations divide by n - 1; answers without a value are
 * left out, and a figure of none is left out.
 */
export function rewardFigures({ totals, rewards }: Rewards): Record<string, number> {
  const figures: Record<string, number> = {};
  const add = (mean: string, std: string, numbers: readonly (number | null)[]): void => {
    if (numbers.every((value) => value === null)) return;
    figures[mean] = meanOf(numbers);
    figures[std] = deviationOf(numbers);
  };
  add('reward', 'reward_std', totals);
  for (const { name, raw } of rewards) add(`rewards/${name}/mean`, `rewards/${name}/std`, raw);
  return figures;
}

/** Mean of the values that are there; NaN of none. */
export function meanOf(values: readonly (number | null | undefined)[]): number {
  const known = knownOf(values);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Standard deviation of the values that are there, dividing by n - 1; 0 of one alone. */
export function deviationOf(values: readonly (number | null | undefined)[]): number {
  const known = knownOf(values);
  const mean = meanOf(known);
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, known.length - 1));
}

function knownOf(values: readonly (number | null | undefined)[]): number[] {
  return values.filter((value) => value !== null && value !== undefined);
}
