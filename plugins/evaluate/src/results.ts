// What an evaluation found, and the files of lm-evaluation-harness' layout that other tools read:
// results_<time>.json and a samples_<task>_<time>.jsonl for each task.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ContinuationScore } from '@lmflow/sdk';
import { writeFileAtomic } from '@lmflow/sdk/files';
import type { Comparison } from './compare/comparison.ts';
import { isLowerBetter } from './lower-better.ts';
import type { RecordFigure, TaskFigure } from './metrics.ts';
import type { Question } from './questions.ts';
import type { TaskFile } from './task-file.ts';

/** A record with what the model made of it. */
export interface ScoredQuestion {
  readonly question: Question;
  readonly scores: readonly ContinuationScore[];
  readonly figures: Readonly<Record<string, RecordFigure>>;
}

/** What one task gave. */
export interface TaskResult {
  readonly task: string;
  readonly version: number;
  readonly shots: number;
  readonly metrics: Readonly<Record<string, TaskFigure>>;
  /** Records of the split, and those that were evaluated. */
  readonly records: { readonly original: number; readonly effective: number };
  /** Prompts whose beginning was cut, because the model has too few positions. */
  readonly cutPrompts: number;
}

/** What `lmflow evaluate` gives to programs. */
export interface EvaluateResult {
  /** None where sides are compared. */
  readonly tasks: readonly TaskResult[];
  /** Of `--compare`. */
  readonly comparison?: Comparison;
  /** The files that were written, where outputDir is set. */
  readonly files: readonly string[];
}

/** What the files have of a task, or of data without one. */
export interface EvaluatedTask {
  /** As it stands in the results' `configs`. */
  readonly task: {
    readonly task: string;
    readonly version: number;
    readonly metrics: readonly string[];
  };
  readonly result: TaskResult;
  /** The lines of the samples file. */
  readonly samples: readonly Sample[];
}

/** A line of the samples file. */
export interface Sample extends Readonly<Record<string, unknown>> {
  readonly prompt_hash?: string;
}

/** What the files say of the whole run. */
export interface RunDescription {
  readonly model: string;
  readonly batchSize: number | undefined;
  readonly limit: number | undefined;
  readonly seed: number;
  readonly device: string;
  readonly started: Date;
}

/** The folder of a model's results. */
export function modelFolder(outputDir: string, model: string): string {
  return join(outputDir, model.replaceAll(/["<>:/|\\?*[\]]+/g, '__'));
}

/** Writes the files; gives their paths. Throws LMFLOW_OUTPUT_UNWRITABLE. */
export async function writeResults(
  folder: string,
  evaluated: readonly EvaluatedTask[],
  run: RunDescription,
  table: string,
): Promise<string[]> {
  const time = run.started.toISOString().replaceAll(':', '-').replace('Z', '');
  const files: string[] = [];
  const write = async (name: string, content: string): Promise<void> => {
    const file = join(folder, name);
    await writeFileAtomic(file, content);
    files.push(file);
  };
  await write(`results_${time}.json`, `${JSON.stringify(resultsOf(evaluated, run), null, 2)}\n`);
  for (const { task, samples } of evaluated) {
    const lines = samples.map((one) => `${JSON.stringify(one)}\n`);
    await write(`samples_${task.task}_${time}.jsonl`, lines.join(''));
  }
  await write(`results_${time}.md`, table);
  return files;
}

function resultsOf(evaluated: readonly EvaluatedTask[], run: RunDescription): object {
  const byTask = <T>(of: (one: EvaluatedTask) => T): Record<string, T> =>
    Object.fromEntries(evaluated.map((one) => [one.task.task, of(one)]));
  return {
    results: byTask(({ task, result }) => ({
      name: task.task,
      alias: task.task,
      sample_len: result.records.effective,
      ...Object.fromEntries(
        Object.entries(result.metrics).flatMap(([metric, { value, stderr }]) => [
          [`${metric},none`, value],
          [`${metric}_stderr,none`, stderr ?? 'N/A'],
        ]),
      ),
    })),
    group_subtasks: {},
    configs: byTask(({ task }) => task),
    versions: byTask(({ task }) => task.version),
    'n-shot': byTask(({ result }) => result.shots),
    higher_is_better: byTask(({ task }) =>
      Object.fromEntries(task.metrics.map((metric) => [metric, !isLowerBetter(metric)])),
    ),
    'n-samples': byTask(({ result }) => result.records),
    cut_prompts: byTask(({ result }) => result.cutPrompts),
    config: {
      model: 'lmflow',
      model_args: { pretrained: run.model },
      batch_size: run.batchSize ?? 'auto',
      device: run.device,
      limit: run.limit ?? null,
      fewshot_seed: run.seed,
    },
    date: run.started.getTime() / 1000,
    task_hashes: byTask(({ samples }) =>
      sha256(samples.map(({ prompt_hash: hash = '' }) => hash).join('')),
    ),
    model_name: run.model,
    total_evaluation_time_seconds: String((Date.now() - run.started.getTime()) / 1000),
  };
}

/** A record's line of the samples file. */
export function sampleOf(task: TaskFile, { question, scores, figures }: ScoredQuestion): Sample {
  const { id, doc, requests, gold = 0 } = question;
  const { text } = requests[0]!;
  const target = targetOf(task, text, gold);
  const responses = scores.map(({ logprob, greedy }) =>
    task.type === 'rolling' ? [String(logprob)] : [String(logprob), greedy ? 'True' : 'False'],
  );
  return {
    doc_id: id,
    doc,
    target,
    arguments: Object.fromEntries(
      requests.map(({ context, text }, at) => [
        `gen_args_${at}`,
        context === undefined ? { arg_0: text } : { arg_0: context, arg_1: text },
      ]),
    ),
    resps: responses.map((one) => [one]),
    filtered_resps: responses,
    filter: 'none',
    metrics: Object.keys(figures),
    doc_hash: sha256(JSON.stringify(doc, null, 2)),
    prompt_hash: promptHash(question),
    target_hash: sha256(target),
    ...figures,
  };
}

/** As the harness writes it: the index of the right choice, or the text that is scored. */
function targetOf(task: TaskFile, text: string, gold: number): string {
  if (task.type === 'rolling') return text;
  return task.contexts ? text.slice(1) : String(gold);
}

function promptHash({ requests: [first] }: Question): string {
  return sha256(first!.context ?? first!.text);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
