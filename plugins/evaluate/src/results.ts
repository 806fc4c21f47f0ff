// What an evaluation found, and the files of lm-evaluation-harness' layout that other tools read:
// results_<time>.json and a samples_<task>_<time>.jsonl for each task.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ContinuationScore } from '@lmflow/sdk';
import { writeFileAtomic } from '@lmflow/sdk/files';
import type { Reading } from './answered-records.ts';
import type { Comparison } from './compare/comparison.ts';
import { isLowerBetter } from './lower-better.ts';
import type { GroupResult } from './group-file.ts';
import type { RecordFigure, TaskFigure } from './metrics.ts';
import type { Question } from './questions.ts';
import type { GenerateTask, TaskFile } from './task-file.ts';

/** A record with what the model made of it. */
export interface ScoredQuestion {
  readonly question: Question;
  /** Of answers that are given. */
  readonly scores: readonly ContinuationScore[];
  /** Answers that the model wrote, and what the readings make of them. */
  readonly texts?: readonly string[];
  readonly readings?: readonly Reading[];
  /** By metric; `metric,reading` where a task reads its answers in several ways. */
  readonly figures: Readonly<Record<string, RecordFigure>>;
}

/** What one task gave. */
export interface TaskResult {
  readonly task: string;
  readonly version: number;
  readonly shots: number;
  /** By metric; `metric,reading` where a task reads its answers in several ways. */
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
  /** Of the groups that were asked for. */
  readonly groups?: readonly GroupResult[];
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
    readonly metrics: readonly (string | { readonly metric: string })[];
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
  readonly groups?: readonly GroupResult[];
  /** Left out where prompts are plain text. */
  readonly chatTemplate?: string | undefined;
  readonly systemInstruction?: string | undefined;
  readonly fewshotAsMultiturn?: boolean;
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
      ...figuresOf(result.metrics),
    })),
    ...describedGroups(run.groups ?? []),
    configs: byTask(({ task }) => task),
    versions: byTask(({ task }) => task.version),
    'n-shot': byTask(({ result }) => result.shots),
    higher_is_better: byTask(({ task }) =>
      Object.fromEntries(
        metricNames(task.metrics).map((metric) => [metric, !isLowerBetter(metric)]),
      ),
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
    chat_template: run.chatTemplate ?? null,
    chat_template_sha: run.chatTemplate === undefined ? null : sha256(run.chatTemplate),
    system_instruction: run.systemInstruction ?? null,
    system_instruction_sha:
      run.systemInstruction === undefined ? null : sha256(run.systemInstruction),
    fewshot_as_multiturn: run.fewshotAsMultiturn ?? false,
    total_evaluation_time_seconds: String((Date.now() - run.started.getTime()) / 1000),
  };
}

/** A record's lines of the samples file: one for each reading of its answers. */
export function sampleLines(task: TaskFile, scored: ScoredQuestion): Sample[] {
  const { question, scores, texts, readings } = scored;
  if (task.type === 'generate') {
    return readings!.map(({ name, response, figures }) => ({
      ...describedRecord(task, question),
      resps: [texts],
      filtered_resps: [response],
      filter: name,
      ...describedFigures(figures),
    }));
  }
  const responses = scores.map(({ logprob, greedy }) =>
    task.type === 'rolling' ? [String(logprob)] : [String(logprob), greedy ? 'True' : 'False'],
  );
  const lists = { resps: responses.map((one) => [one]), filtered_resps: responses, filter: 'none' };
  return [{ ...describedRecord(task, question), ...lists, ...describedFigures(scored.figures) }];
}

/** As the harness names figures. */
function figuresOf(metrics: TaskResult['metrics']): Record<string, number | string> {
  const found: Record<string, number | string> = {};
  for (const [name, { value, stderr }] of Object.entries(metrics)) {
    const [metric, reading = 'none'] = name.split(',');
    found[`${metric},${reading}`] = value;
    found[`${metric}_stderr,${reading}`] = stderr ?? 'N/A';
  }
  return found;
}

function describedGroups(groups: readonly GroupResult[]): object {
  const byGroup = <T>(of: (one: GroupResult) => T): Record<string, T> =>
    Object.fromEntries(groups.map((one) => [one.group, of(one)]));
  return {
    groups: byGroup(({ group, records, metrics }) => ({
      name: group,
      alias: group,
      sample_len: records,
      ...figuresOf(metrics),
    })),
    group_subtasks: byGroup(({ tasks }) => tasks),
    group_versions: byGroup(({ version }) => version),
  };
}

function metricNames(metrics: EvaluatedTask['task']['metrics']): string[] {
  return metrics.map((one) => (typeof one === 'string' ? one : one.metric));
}

function describedFigures(figures: Readonly<Record<string, RecordFigure>>): object {
  const plain: Record<string, RecordFigure> = {};
  for (const [name, figure] of Object.entries(figures)) plain[name.split(',')[0]!] = figure;
  return { metrics: Object.keys(plain), ...plain };
}

function describedRecord(task: TaskFile, question: Question): Sample {
  const { id, doc, requests } = question;
  const target = targetOf(task, question);
  return {
    doc_id: id,
    doc,
    target,
    arguments: Object.fromEntries(
      requests.map(({ context, text }, at) => [
        `gen_args_${at}`,
        context === undefined
          ? { arg_0: text }
          : { arg_0: context, arg_1: task.type === 'generate' ? generationOf(task) : text },
      ]),
    ),
    doc_hash: sha256(JSON.stringify(doc, null, 2)),
    prompt_hash: promptHash(question),
    target_hash: sha256(target),
  };
}

/** With the harness' names. */
function generationOf({ generation, fewshotDelimiter }: GenerateTask): object {
  const { until = [fewshotDelimiter], doSample, maxNewTokens, ...rest } = generation;
  const named: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(rest)) {
    named[name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return { until, do_sample: doSample, max_gen_toks: maxNewTokens, ...named };
}

/** As the harness writes it: the index of the right choice, or the text that is scored. */
function targetOf(task: TaskFile, { requests, gold = 0, targets = [] }: Question): string {
  const { text } = requests[0]!;
  switch (task.type) {
    case 'generate':
      return targets.length === 1 ? targets[0]! : JSON.stringify(targets);
    case 'rolling':
      return text;
    case 'choice':
      return task.contexts ? text.slice(task.targetDelimiter.length) : String(gold);
  }
}

function promptHash({ requests: [first] }: Question): string {
  return sha256(first!.context ?? first!.text);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
