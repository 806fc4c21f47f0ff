// One task, from its questions to its figures. Records are kept as they come, so that an evaluation
// that was killed goes on at the next one.
import { join } from 'node:path';
import type { Logger, ScoringSession, TextGenerator } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { generateAnswers, promptsOf, readRecord } from './answered-records.ts';
import { taskInvalid } from './errors.ts';
import { recordFigures, taskFigure } from './metrics.ts';
import { questionsOf, type AskSettings, type Question, type TaskData } from './questions.ts';
import { sampleLines, type EvaluatedTask, type ScoredQuestion } from './results.ts';
import { scoreQuestions } from './scored-records.ts';
import type { TaskFile } from './task-file.ts';
import type { AnswerCheckTable } from './text-figures.ts';
import { UnfinishedTask, type KeptRecord } from './unfinished.ts';

/** Records that are scored together, and lost together when the process is killed. */
const TOGETHER = 32;

export interface Evaluation {
  readonly model: Model;
  readonly session: ScoringSession;
  /** Called for tasks whose answers are generated. */
  readonly generator: () => TextGenerator;
  /** What tasks may say of right answers. */
  readonly checks: AnswerCheckTable;
  /** Most prompts that are answered at once. */
  readonly batchSize?: number | undefined;
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
  evaluation: Evaluation,
): Promise<FinishedTask> {
  const { log, ask, folder, computed, checks } = evaluation;
  checkMetrics(task, checks);
  const questions = questionsOf(task, data, ask);
  const { shots, seed, systemInstruction, chat } = ask;
  const unfinished = new UnfinishedTask(
    folder && join(folder, `unfinished_${task.task}.jsonl`),
    JSON.stringify({
      task,
      computed,
      shots,
      seed,
      systemInstruction,
      chat: chat && [chat.multiturn, evaluation.model.tokenizer.chatTemplate],
    }),
  );
  if (unfinished.scored.size > 0) {
    log.info(`${task.task}: ${unfinished.scored.size} records are scored already`);
  }
  const waiting = questions.filter(({ id }) => !unfinished.scored.has(id));
  await computeRecords(task, waiting, evaluation, (records) => {
    unfinished.add(records);
    log.progress(`${task.task}  ${unfinished.scored.size}/${questions.length}`);
  });
  const records = questions.map(({ id }) => unfinished.scored.get(id)!);
  const scored = questions.map((question, at) =>
    scoredQuestion(task, question, { record: records[at]!, checks }),
  );
  return {
    task,
    scored,
    samples: scored.flatMap((one) => sampleLines(task, one)),
    result: {
      task: task.task,
      version: task.version,
      shots,
      metrics: Object.fromEntries(
        Object.keys(scored[0]?.figures ?? {}).map((name) => [
          name,
          taskFigure(
            name,
            scored.map(({ figures }) => figures[name]!),
          ),
        ]),
      ),
      records: { original: data.docs.length, effective: questions.length },
      cutPrompts: records.reduce((sum, { cut }) => sum + cut, 0),
    },
    end: () => {
      unfinished.end();
    },
  };
}

async function computeRecords(
  task: TaskFile,
  questions: readonly Question[],
  evaluation: Evaluation,
  keep: (records: readonly KeptRecord[]) => void,
): Promise<void> {
  const { model, session, signal, ask, generator, batchSize } = evaluation;
  if (task.type === 'generate') {
    const { generation, repeats, fewshotDelimiter } = task;
    const until = generation.until ?? [fewshotDelimiter];
    const by = { model, generator: generator(), signal, batchSize, seed: ask.seed };
    await generateAnswers(
      promptsOf(task, questions, by),
      { ...by, repeats, generation: { ...generation, until } },
      (record) => {
        keep([record]);
      },
    );
    return;
  }
  for (let start = 0; start < questions.length; start += TOGETHER) {
    signal.throwIfAborted();
    const some = questions.slice(start, start + TOGETHER);
    keep(await scoreQuestions(task, some, { model, session, signal }));
  }
}

function scoredQuestion(
  task: TaskFile,
  question: Question,
  { record, checks }: { readonly record: KeptRecord; readonly checks: AnswerCheckTable },
): ScoredQuestion {
  const { scores = [], alone, texts = [] } = record;
  if (task.type !== 'generate') {
    return { question, scores, figures: recordFigures(task, question, scores, alone) };
  }
  const readings = readRecord(task, question, { texts, checks });
  const figures = readings.flatMap((one) => Object.entries(one.figures));
  return { question, scores, texts, readings, figures: Object.fromEntries(figures) };
}

/** Throws LMFLOW_EVALUATE_TASK_FILE where a metric names a check that is not there. */
function checkMetrics({ task, metrics }: TaskFile, checks: AnswerCheckTable): void {
  for (const metric of metrics) {
    if (typeof metric === 'string' || metric.metric !== 'acc') continue;
    if (!checks.get(metric.check)) {
      const known = checks.names().join(', ');
      throw taskInvalid(task, `there is no answer check "${metric.check}" (known: ${known})`);
    }
  }
}
