// The records of a task whose answers are given: their log-probabilities.
import type { ContinuationScore, ScoreRow, ScoringSession } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { Question } from './questions.ts';
import type { ChoiceTask, RollingTask } from './task-file.ts';
import { tokenRows } from './token-rows.ts';
import type { KeptRecord } from './unfinished.ts';

/** Scores some records together. */
export async function scoreQuestions(
  task: ChoiceTask | RollingTask,
  questions: readonly Question[],
  by: { readonly model: Model; readonly session: ScoringSession; readonly signal: AbortSignal },
): Promise<KeptRecord[]> {
  const { model, session, signal } = by;
  const isMutual = task.metrics.some((metric) => metric === 'acc_mutual_info');
  const asked = questions.map(({ requests }) => ({
    scores: requests.map((request) => tokenRows(model, request)),
    alone: isMutual ? requests.map(({ text }) => tokenRows(model, { context: '', text })) : [],
  }));
  const rows: ScoreRow[] = asked.flatMap(({ scores, alone }) =>
    [...scores, ...alone].flatMap((one) => one.rows),
  );
  const found = await session.score(rows, { signal });
  let at = 0;
  const sumOf = (count: number): ContinuationScore => {
    const own = found.slice(at, (at += count));
    return {
      logprob: own.reduce(
        (sum, { logprobs }) => logprobs.reduce((inside, logprob) => inside + logprob, sum),
        0,
      ),
      greedy: own.every(({ greedy }) => greedy.every((one) => one === 1)),
    };
  };
  return asked.map(({ scores, alone }, index) => ({
    id: questions[index]!.id,
    scores: scores.map((one) => sumOf(one.rows.length)),
    ...(isMutual ? { alone: alone.map((one) => sumOf(one.rows.length)) } : {}),
    cut: scores.filter(({ cut }) => cut).length,
  }));
}
