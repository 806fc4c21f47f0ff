// The records of a task whose answers the model writes: the texts, and what its readings make of them.
import type { TextGenerator } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { readAnswers } from './answer-filters.ts';
import { answer, promptIds } from './generation.ts';
import { textFigure, type RecordFigure } from './metrics.ts';
import type { Question } from './questions.ts';
import type { GenerateTask } from './task-file.ts';
import type { KeptRecord } from './unfinished.ts';

/** Prompts that wait for the generator, which decodes as many together as it may. */
const WAITING = 32;

/** What a reading makes of a record's answers. */
export interface Reading {
  readonly name: string;
  readonly response: unknown;
  /** By the names of the results: `exact_match,strict-match`. */
  readonly figures: Readonly<Record<string, RecordFigure>>;
}

/** What answers the records. */
export interface RecordAnswering {
  readonly model: Model;
  readonly generator: TextGenerator;
  readonly batchSize: number | undefined;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** Answers records, several at the same time; each one is kept when it is answered. */
export async function generateAnswers(
  { generation, repeats, fewshotDelimiter }: GenerateTask,
  questions: readonly Question[],
  { batchSize = WAITING, seed, ...by }: RecordAnswering,
  keep: (record: KeptRecord) => void,
): Promise<void> {
  const { model, generator, signal } = by;
  const until = generation.until ?? [fewshotDelimiter];
  const { maxNewTokens } = generation;
  const answering = { ...by, repeats, generation: { ...generation, until } };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < questions.length && !signal.aborted) {
      const { id, requests } = questions[next++]!;
      const text = requests[0]!.context!;
      const { ids, cut } = promptIds(model, generator, { text, maxNewTokens });
      keep({ id, texts: await answer(ids, seed + id, answering), cut: Number(cut) });
    }
  };
  const workers = Math.min(batchSize, questions.length);
  await Promise.all(Array.from({ length: workers }, work));
  signal.throwIfAborted();
}

/** What each of a task's readings makes of a record's answers. */
export function readRecord(
  { answers, metrics }: GenerateTask,
  { targets = [] }: Question,
  texts: readonly string[],
): Reading[] {
  return answers.map(({ name, filter }) => {
    const response = readAnswers(texts, filter);
    const figures = metrics.map((metric): [string, RecordFigure] => [
      figureName(metric.metric, name),
      textFigure(metric, response, targets),
    ]);
    return { name, response, figures: Object.fromEntries(figures) };
  });
}

/** A figure's name in the results; the reading `none` is left out. */
export function figureName(metric: string, reading: string): string {
  return reading === 'none' ? metric : `${metric},${reading}`;
}
