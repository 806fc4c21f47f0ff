// The records of a task whose answers the model writes: the texts, and what its readings make of them.
import type { TextGenerator } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { readAnswers } from './answer-filters.ts';
import { answer, promptIds, type Answering } from './generation.ts';
import type { RecordFigure } from './metrics.ts';
import type { Question } from './questions.ts';
import type { GenerateTask } from './task-file.ts';
import { textFigure, type AnswerCheckTable } from './text-figures.ts';
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

/** A record's prompt. */
export interface AskedPrompt {
  readonly id: number;
  readonly ids: Int32Array;
  /** Whether its beginning was cut. */
  readonly cut: boolean;
}

/** What answers the records. */
export interface RecordAnswering extends Answering {
  /** Most prompts at once. */
  readonly batchSize: number | undefined;
  readonly seed: number;
}

/** The prompts of questions. Throws LMFLOW_EVALUATE_TOKENS. */
export function promptsOf(
  { generation: { maxNewTokens } }: GenerateTask,
  questions: readonly Question[],
  by: { readonly model: Model; readonly generator: TextGenerator },
): AskedPrompt[] {
  return questions.map(({ id, requests }) => {
    const text = requests[0]!.context!;
    return { id, ...promptIds(by.model, by.generator, { text, maxNewTokens }) };
  });
}

/** Answers prompts, several at the same time; each record is kept when it is answered. */
export async function generateAnswers(
  prompts: readonly AskedPrompt[],
  { batchSize = WAITING, seed, ...answering }: RecordAnswering,
  keep: (record: KeptRecord) => void,
): Promise<void> {
  const { signal } = answering;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < prompts.length && !signal.aborted) {
      const { id, ids, cut } = prompts[next++]!;
      keep({ id, texts: await answer(ids, seed + id, answering), cut: Number(cut) });
    }
  };
  const workers = Math.min(batchSize, prompts.length);
  await Promise.all(Array.from({ length: workers }, work));
  signal.throwIfAborted();
}

/** What each of a task's readings makes of a record's answers. */
export function readRecord(
  { answers, metrics }: GenerateTask,
  { targets = [], wrong = [] }: Question,
  { texts, checks }: { readonly texts: readonly string[]; readonly checks: AnswerCheckTable },
): Reading[] {
  return answers.map(({ name, filter }) => {
    const response = readAnswers(texts, filter);
    const figures = metrics.map((metric): [string, RecordFigure] => [
      figureName(metric.metric, name),
      textFigure(metric, response, { targets, wrong, checks }),
    ]);
    return { name, response, figures: Object.fromEntries(figures) };
  });
}

/** A figure's name in the results; the reading `none` is left out. */
export function figureName(metric: string, reading: string): string {
  return reading === 'none' ? metric : `${metric},${reading}`;
}
