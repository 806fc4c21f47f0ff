// One task, from its questions to its figures. Records are scored some at a time and kept as they
// come.
import { join } from 'node:path';
import type { ContinuationScore, Logger, ScoreRow, ScoringSession } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { recordFigures, taskFigure } from './metrics.ts';
import { questionsOf, type AskSettings, type Question, type TaskData } from './questions.ts';
import { sampleOf, type EvaluatedTask, type ScoredQuestion } from './results.ts';
import type { TaskFile } from './task-file.ts';
import { tokenRows } from './token-rows.ts';
import { UnfinishedTask, type ScoredRecord } from './unfinished.ts';

/** Records that are scored together, and lost together when the process is killed. */
const TOGETHER = 32;

export interface Evaluation {
  readonly model: Model;
  readonly session: ScoringSession;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly ask: AskSettings;
  /** Where records are kept until a task is done. */
  readonly folder: string | undefined;
  /** All of the configuration that decides what the model computes. */
  readonly computed: unknown;
}

/** A task whose records are all scored. */
export interface FinishedTask extends EvaluatedTask {
  readonly scored: readonly ScoredQuestion[];
  /** To be called when the results are written. */
  readonly end: () => void;
}

/** Evaluates a task; records that an earlier run scored are not scored again. */
export async function evaluateTask(
  task: TaskFile,
  data: TaskData,
  { model, session, log, signal, ask, folder, computed }: Evaluation,
): Promise<FinishedTask> {
  const questions = questionsOf(task, data, ask);
  const unfinished = new UnfinishedTask(
    folder && join(folder, `unfinished_${task.task}.jsonl`),
    JSON.stringify({ task, computed, shots: ask.shots, seed: ask.seed }),
  );
  if (unfinished.scored.size > 0) {
    log.info(`${task.task}: ${unfinished.scored.size} records are scored already`);
  }
  const waiting = questions.filter(({ id }) => !unfinished.scored.has(id));
  for (let start = 0; start < waiting.length; start += TOGETHER) {
    signal.throwIfAborted();
    const some = waiting.slice(start, start + TOGETHER);
    unfinished.add(await scoreQuestions(task, some, model, session, signal));
    log.progress(`${task.task}  ${unfinished.scored.size}/${questions.length}`);
  }
  const records = questions.map(({ id }) => unfinished.scored.get(id)!);
  const scored = questions.map((question, at): ScoredQuestion => {
    const { scores, alone } = records[at]!;
    return { question, scores, figures: recordFigures(task, question, scores, alone) };
  });
  const metrics = Object.fromEntries(
    task.metrics.map((name) => [
      name,
      taskFigure(
        name,
        scored.map(({ figures }) => figures[name]!),
      ),
    ]),
  );
  return {
    task,
    scored,
    samples: scored.map((one) => sampleOf(task, one)),
    result: {
      task: task.task,
      version: task.version,
      shots: ask.shots,
      metrics,
      records: { original: data.docs.length, effective: questions.length },
      cutPrompts: records.reduce((sum, { cut }) => sum + cut, 0),
    },
    end: () => {
      unfinished.end();
    },
  };
}

async function scoreQuestions(
  task: TaskFile,
  questions: readonly Question[],
  model: Model,
  session: ScoringSession,
  signal: AbortSignal,
): Promise<ScoredRecord[]> {
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
