// The figures of a record, and what a task makes of them: lm-evaluation-harness' definitions.
import type { ContinuationScore } from '@lmflow/sdk';
import { countWords } from './python-text.ts';
import type { Question } from './questions.ts';
import type { ChoiceTask, RollingTask } from './task-file.ts';
import {
  corpusFigure,
  corpusValue,
  isCorpusMetric,
  type ComparedTexts,
} from './text/corpus-metrics.ts';
import { isTextStatistic, textStatistic } from './text/statistics.ts';

/**
 * A record's figure: a number that is averaged, a sum with what it is divided by, or texts that are
 * compared over the whole corpus.
 */
export type RecordFigure = number | readonly [sum: number, weight: number] | ComparedTexts;

/** A task's figure, with its standard error where it has one. */
export interface TaskFigure {
  readonly value: number;
  readonly stderr?: number;
}

/**
 * A record's figures by name. `alone` are the scores of the choices without context, for
 * acc_mutual_info.
 */
export function recordFigures(
  { metrics }: ChoiceTask | RollingTask,
  { choices = [], gold, truths, counted = '' }: Question,
  scores: readonly ContinuationScore[],
  alone: readonly ContinuationScore[] = [],
): Record<string, RecordFigure> {
  const sums = scores.map(({ logprob }) => logprob);
  const correct = (numbers: readonly number[]): number => Number(likeliest(numbers) === gold);
  const perLength = (lengthOf: (choice: string) => number): number[] =>
    sums.map((sum, at) => sum / lengthOf(choices[at]!));
  const total = sums[0]!;
  const figures: Readonly<Record<string, () => RecordFigure>> = {
    acc: () => (truths ? probabilityOf(truths, sums) : correct(sums)),
    acc_norm: () => correct(perLength((choice) => [...choice].length)),
    acc_bytes: () => correct(perLength((choice) => Buffer.byteLength(choice))),
    acc_mutual_info: () => correct(sums.map((sum, at) => sum - alone[at]!.logprob)),
    word_perplexity: () => [total, countWords(counted)],
    byte_perplexity: () => [total, Buffer.byteLength(counted)],
    bits_per_byte: () => [total, Buffer.byteLength(counted)],
  };
  return Object.fromEntries(metrics.map((name) => [name, figures[name]!()]));
}

/** A task's figure from those of its records. */
export function taskFigure(name: string, figures: readonly RecordFigure[]): TaskFigure {
  const [metric] = name.split(',') as [string];
  if (isCorpusMetric(metric)) return corpusFigure(metric, figures as readonly ComparedTexts[]);
  if (isTextStatistic(metric)) return { value: taskValue(metric, figures) };
  return figures.every((figure) => typeof figure === 'number')
    ? mean(figures)
    : { value: taskValue(name, figures) };
}

/** The same without its standard error, which resampling has no use for. */
export function taskValue(name: string, figures: readonly RecordFigure[]): number {
  const [metric] = name.split(',') as [string];
  if (isCorpusMetric(metric)) return corpusValue(metric, figures as readonly ComparedTexts[]);
  if (isTextStatistic(metric)) {
    const answers = (figures as readonly ComparedTexts[]).map(([, answer]) => answer);
    return textStatistic(metric, answers);
  }
  if (figures.every((figure) => typeof figure === 'number')) return mean(figures).value;
  const pairs = figures as readonly (readonly [number, number])[];
  const perUnit =
    -pairs.reduce((total, [sum]) => total + sum, 0) /
    pairs.reduce((total, [, weight]) => total + weight, 0);
  return metric === 'bits_per_byte' ? perUnit / Math.LN2 : Math.exp(perUnit);
}

/** The mean, with its standard error where there are two numbers or more. */
export function mean(numbers: readonly number[]): TaskFigure {
  const count = numbers.length;
  const value = numbers.reduce((sum, number) => sum + number, 0) / count;
  if (count < 2) return { value };
  const variance = numbers.reduce((sum, number) => sum + (number - value) ** 2, 0) / (count - 1);
  return { value, stderr: Math.sqrt(variance / count) };
}

/** The share of the probability of all choices that those have which are right. */
function probabilityOf(truths: readonly boolean[], sums: readonly number[]): number {
  const probabilities = sums.map(Math.exp);
  const total = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);
  return total(probabilities.filter((_, at) => truths[at])) / total(probabilities);
}

/** The first of the largest. */
function likeliest(numbers: readonly number[]): number {
  return numbers.reduce((best, number, at) => (number > numbers[best]! ? at : best), 0);
}
