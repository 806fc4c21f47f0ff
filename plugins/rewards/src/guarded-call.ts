// One call of a reward: within its time, with values that are numbers. Whatever goes wrong becomes one
// error that names the reward and the answer.
import {
  isLMFlowError,
  type AnswerToReward,
  type RewardFunction,
  type RewardInput,
} from '@lmflow/sdk';
import { inputOf, shownAnswer, shownAnswers } from './answers.ts';
import { AnswersError } from './answers-error.ts';
import { rewardCount, rewardFailed, rewardNeeds, rewardTimeout, rewardValue } from './errors.ts';

/** A reward to call, with its name and seconds. */
export interface Callee {
  readonly name: string;
  readonly score: RewardFunction;
  readonly timeout: number;
}

/** What a call is made with. */
export interface Call {
  readonly step: number | undefined;
  readonly signal: AbortSignal;
}

/** Seconds in which the answer is looked for that a reward threw at. */
const SEARCH_SECONDS = 10;

class TimeUp extends Error {}

/** A number or null for each answer. */
export async function guardedCall(
  callee: Callee,
  answers: readonly AnswerToReward[],
  call: Call,
): Promise<readonly (number | null)[]> {
  const { name, timeout } = callee;
  let values: unknown;
  try {
    values = await settled(callee.score, answers, call, timeout);
  } catch (cause) {
    call.signal.throwIfAborted();
    if (cause instanceof TimeUp) throw rewardTimeout(name, timeout, shownAnswers(answers));
    if (isLMFlowError(cause)) throw cause;
    throw await named(callee, answers, call, cause);
  }
  return checked(name, answers, values);
}

/** The error of a reward that threw, with the answers that it threw for. */
async function named(
  { name, score }: Callee,
  answers: readonly AnswerToReward[],
  call: Call,
  cause: unknown,
): Promise<Error> {
  if (cause instanceof AnswersError) {
    const those = shownAnswers(answers, cause.from, cause.to);
    if (cause.lacks) return rewardNeeds(name, those, cause.message);
    return rewardFailed(name, those, cause);
  }
  const at = await firstFailing(score, answers, call);
  call.signal.throwIfAborted();
  const those = at === undefined ? shownAnswers(answers) : shownAnswer(answers, at);
  return rewardFailed(name, those, cause);
}

/** What the function gives, or TimeUp; an abort ends the wait, whether the function hears it or not. */
async function settled(
  score: RewardFunction,
  answers: readonly AnswerToReward[],
  { step, signal }: Call,
  seconds: number,
): Promise<unknown> {
  signal.throwIfAborted();
  const time = new AbortController();
  const both = AbortSignal.any([signal, time.signal]);
  let timer: NodeJS.Timeout | undefined;
  let leave: (() => void) | undefined;
  try {
    const ended = new Promise<never>((_, reject) => {
      leave = (): void => reject(both.reason as Error);
      both.addEventListener('abort', leave);
      if (Number.isFinite(seconds)) {
        timer = setTimeout(() => time.abort(new TimeUp()), seconds * 1000);
      }
    });
    const input: RewardInput = inputOf(answers, { step, signal: both });
    return await Promise.race([Promise.resolve().then(() => score(input)), ended]);
  } finally {
    clearTimeout(timer);
    both.removeEventListener('abort', leave!);
  }
}

/** The answer that a function throws at, asked again in halves; undefined where it no longer throws. */
async function firstFailing(
  score: RewardFunction,
  answers: readonly AnswerToReward[],
  call: Call,
): Promise<number | undefined> {
  const end = performance.now() + SEARCH_SECONDS * 1000;
  let [from, to] = [0, answers.length];
  while (to - from > 1) {
    const middle = (from + to) >>> 1;
    const left = Math.max(0.001, (end - performance.now()) / 1000);
    const failed = async (start: number, stop: number): Promise<boolean | undefined> =>
      settled(score, answers.slice(start, stop), call, left).then(
        () => false,
        (cause: unknown) => (cause instanceof TimeUp ? undefined : true),
      );
    const first = await failed(from, middle);
    if (first === undefined) return undefined;
    if (first) to = middle;
    else if (await failed(middle, to)) from = middle;
    else return undefined;
  }
  return from;
}

function checked(
  name: string,
  answers: readonly AnswerToReward[],
  given: unknown,
): readonly (number | null)[] {
  const isList = Array.isArray(given) || ArrayBuffer.isView(given);
  if (!isList) throw rewardCount(name, `${typeof given} in place of a list`, shownAnswers(answers));
  const values = Array.from(given as ArrayLike<unknown>);
  if (values.length !== answers.length) {
    throw rewardCount(name, `${values.length} values`, shownAnswers(answers));
  }
  for (const [index, value] of values.entries()) {
    if (value !== null && !(typeof value === 'number' && Number.isFinite(value))) {
      throw rewardValue(name, shownAnswer(answers, index), value);
    }
  }
  return values as (number | null)[];
}
