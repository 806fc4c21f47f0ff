// `lmflow evaluate`: its flags, and the way from tasks to a table and files.
import { DATASETS } from '@lmflow/plugin-datasets';
import {
  ENGINE,
  MODELS,
  SAMPLES,
  SCORER,
  type CommandInvocation,
  type CommandOutcome,
  type CommandSpec,
  type Config,
  type PluginContext,
} from '@lmflow/sdk';
import { z } from 'zod';
import { eitherTasksOrMetric, settingMissing } from './errors.ts';
import { evaluateTask, type Evaluation, type FinishedTask } from './evaluation.ts';
import { dataMetrics, evaluateData } from './own-data.ts';
import { modelFolder, writeResults, type EvaluateResult, type EvaluatedTask } from './results.ts';
import { resultTable } from './table.ts';
import { readTaskData } from './task-data.ts';
import type { TaskFile } from './task-file.ts';
import { findTasks, taskNames } from './task-table.ts';

declare module '@lmflow/sdk' {
  interface CommandResults {
    evaluate: EvaluateResult;
  }
}

const flags = z.object({
  tasks: z
    .string()
    .optional()
    .describe('Names of tasks and task files (.json), with commas; mmlu_* for all that fit.'),
  metric: z
    .enum(dataMetrics)
    .optional()
    .describe('In place of tasks: what to measure on the samples of dataset.'),
  numFewshot: z.int().min(0).default(0).describe('Examples before each question.'),
  fewshotSeed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1234)
    .describe('Seed of the draws of examples.'),
  limit: z.int().min(1).optional().describe('Evaluate so many of the first records of a task.'),
  dataDir: z
    .string()
    .optional()
    .describe("Folder with a folder of data for each task, named like it; else the task's hub id."),
  batchSize: z
    .int()
    .min(1)
    .optional()
    .describe('Most rows computed at once; by default as scoring.batchTokens allows.'),
});
type Flags = z.output<typeof flags>;

export function evaluateCommand(context: PluginContext): CommandSpec {
  return {
    name: 'evaluate',
    summary: 'Scores a model on tasks: multiple choice by log-likelihood, perplexity of texts.',
    options: flags,
    aliases: { numFewShot: 'numFewshot' },
    unsupported: {
      applyChatTemplate: 'prompts are plain text',
      outputPath: 'say --output-dir',
    },
    sections: [
      'model',
      'outputDir',
      'dataset',
      'lora.adapter',
      'quantize.bits',
      'device',
      'scoring',
      'lora',
    ],
    examples: [
      'lmflow evaluate --model org/model --tasks arc_easy,hellaswag --limit 100',
      'lmflow evaluate --model org/model --lora-adapter out --tasks "mmlu_*" --num-fewshot 5 --output-dir results',
      'lmflow evaluate --model org/model --tasks my-task.json --data-dir data',
      'lmflow evaluate --model org/model --dataset questions.json --metric perplexity',
    ],
    run: (invocation: CommandInvocation) => evaluate(context, invocation),
  };
}

async function evaluate(
  context: PluginContext,
  { config, options, signal, output }: CommandInvocation,
): Promise<CommandOutcome<EvaluateResult>> {
  const { resolve, log } = context;
  const flags = options as Flags;
  const { fewshotSeed: seed, limit, batchSize } = flags;
  const { model: source, outputDir } = config;
  if (flags.tasks === undefined && flags.metric === undefined) {
    throw settingMissing('tasks', `--tasks ${taskNames()[0]}`);
  }
  if (flags.tasks !== undefined && flags.metric !== undefined) throw eitherTasksOrMetric();
  if (source === undefined) throw settingMissing('model', '--model org/model');
  if (flags.metric !== undefined && config.dataset === undefined) {
    throw settingMissing('dataset', '--dataset data.json');
  }
  const tasks = findTasks(flags.tasks?.split(',').map((name) => name.trim()) ?? []);
  const started = new Date();
  const model = await resolve(MODELS).load({
    role: 'policy',
    purpose: 'inference',
    source,
    signal,
  });
  const session = resolve(SCORER).open(model, batchSize === undefined ? {} : { batchSize });
  const folder = outputDir === undefined ? undefined : modelFolder(outputDir, source);
  const common = { model, session, log, signal, folder, computed: computedBy(config) };
  let evaluated: readonly (EvaluatedTask & { readonly end?: () => void })[];
  try {
    evaluated = flags.metric
      ? [await measureData(context, flags, common)]
      : await evaluateTasks(context, tasks, flags, common);
  } finally {
    await session.dispose();
  }
  const results = evaluated.map(({ result }) => result);
  const table = resultTable(results);
  const run = { model: source, batchSize, limit, seed, started, device: resolve(ENGINE).device };
  const files = folder ? await writeResults(folder, evaluated, run, table) : [];
  for (const { end } of evaluated) end?.();
  output.write(table);
  log.event('evaluate', { tasks: results, files }, files.length > 0 ? `written to ${folder}` : '');
  return { result: { tasks: results, files } };
}

async function evaluateTasks(
  { resolve, log }: PluginContext,
  tasks: readonly TaskFile[],
  { numFewshot, limit = Infinity, fewshotSeed: seed, dataDir }: Flags,
  common: Omit<Evaluation, 'ask'>,
): Promise<readonly FinishedTask[]> {
  const evaluated: FinishedTask[] = [];
  const { signal } = common;
  for (const task of tasks) {
    const shots = task.type === 'rolling' ? 0 : numFewshot;
    const data = await readTaskData(task, { datasets: resolve(DATASETS), dataDir, shots, signal });
    const found = await evaluateTask(task, data, { ...common, ask: { shots, limit, seed } });
    const { cutPrompts } = found.result;
    if (cutPrompts > 0) {
      log.warn(
        `${task.task}: ${cutPrompts} prompts are longer than the model and lost their beginning`,
      );
    }
    evaluated.push(found);
  }
  return evaluated;
}

/** The samples for evaluation where there are any, else all. */
async function measureData(
  { resolve, log, config }: PluginContext,
  { metric, limit }: Flags,
  { model, session, signal }: Omit<Evaluation, 'ask'>,
): Promise<EvaluatedTask> {
  const { tokenizer, architecture } = model;
  const { train, evaluation } = await resolve(SAMPLES).load({
    tokenizer,
    maxPositions: architecture.maxPositions,
    signal,
  });
  const named = (evaluation && config['evalDataset']) ?? config.dataset;
  return evaluateData({
    name: typeof named === 'string' ? named : 'dataset',
    metric: metric!,
    samples: evaluation ?? train,
    limit,
    session,
    signal,
    progress: (done, all) => {
      log.progress(`${metric}  ${done}/${all}`);
    },
  });
}

/** What of a configuration decides the numbers that the model gives. */
function computedBy(config: Config): unknown {
  const sections = config as Readonly<Record<string, unknown>>;
  return ['model', 'revision', 'lora', 'quantize', 'positionInterpolation'].map(
    (key) => sections[key] ?? null,
  );
}
