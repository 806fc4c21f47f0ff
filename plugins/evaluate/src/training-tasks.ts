// Tasks in training: `evalTasks` are evaluated on the model that is trained, whenever the trainer
// evaluates. A row of EVALUATIONS; when that is, and which model is best, is the trainer's.
import { DATASETS } from '@lmflow/plugin-datasets';
import {
  ANSWER_CHECKS,
  GENERATOR,
  SCORER,
  type Config,
  type EvaluationRow,
  type PluginContext,
} from '@lmflow/sdk';
import { figureName } from './answered-records.ts';
import { bestMetricUnknown } from './errors.ts';
import { shotsOf } from './evaluate-tasks.ts';
import { evaluateTask } from './evaluation.ts';
import type { EvaluateOptions } from './options.ts';
import type { TaskData } from './questions.ts';
import { readTaskData } from './task-data.ts';
import type { TaskFile } from './task-file.ts';
import { findTasks } from './task-table.ts';

/** Seed of the draws of examples, as `lmflow evaluate` has it by default. */
const SEED = 1234;

/**
 * Checks a configuration before anything is loaded: the tasks exist, and metricForBestModel is a
 * figure of one of them where it names a task. Throws LMFLOW_EVALUATE_TASK_* and _BEST_METRIC.
 */
export function checkTrainingTasks(config: Config): void {
  const names = config.evalTasks;
  if (!Array.isArray(names)) return; // said where the configuration is parsed
  const tasks = findTasks(names.map(String));
  const wanted = config['metricForBestModel'];
  if (tasks.length === 0 || typeof wanted !== 'string') return;
  const figures = tasks.flatMap(figureNames);
  const figure = wanted.replace(/^eval_/, '');
  if (figure.includes('.') && !figures.includes(figure)) throw bestMetricUnknown(wanted, figures);
}

/** `arc_easy.acc`, `arc_easy.acc_norm` */
function figureNames(task: TaskFile): string[] {
  const names =
    task.type === 'generate'
      ? task.answers.flatMap(({ name }) =>
          task.metrics.map(({ metric }) => figureName(metric, name)),
        )
      : task.metrics;
  return names.map((name) => `${task.task}.${name}`);
}

/** The row of EVALUATIONS. */
export function trainingTasks(context: PluginContext<EvaluateOptions>): EvaluationRow {
  const { resolve, log } = context;
  let prepared: { readonly task: TaskFile; readonly data: TaskData; readonly shots: number }[] = [];
  return {
    name: 'tasks',
    wanted: () => context.options.evalTasks.length > 0,
    prepare: async (signal = new AbortController().signal) => {
      const { evalTasks, evalTasksNumFewshot, evalTasksDataDir: dataDir } = context.options;
      prepared = [];
      const tasks = findTasks(evalTasks);
      // what is missing is said now, not after the first hour
      resolve(SCORER);
      if (tasks.some(({ type }) => type === 'generate')) resolve(GENERATOR);
      for (const task of tasks) {
        const shots = shotsOf(task, evalTasksNumFewshot);
        const datasets = resolve(DATASETS);
        const data = await readTaskData(task, { datasets, dataDir, shots, signal });
        prepared.push({ task, data, shots });
      }
    },
    evaluate: async ({ model, signal = new AbortController().signal }) => {
      const { evalTasksLimit: limit = Infinity } = context.options;
      const figures: Record<string, number> = {};
      // a session for each evaluation: between them, training needs its memory
      const session = resolve(SCORER).open(model);
      try {
        for (const { task, data, shots } of prepared) {
          const { result } = await evaluateTask(task, data, {
            model,
            session,
            generator: () => resolve(GENERATOR),
            checks: context.rows(ANSWER_CHECKS),
            log,
            signal,
            ask: { shots, limit, seed: SEED },
            folder: undefined,
            computed: undefined,
          });
          for (const [metric, { value }] of Object.entries(result.metrics)) {
            figures[`${task.task}.${metric}`] = value;
          }
        }
      } finally {
        await session.dispose();
      }
      return figures;
    },
  };
}
