// The plugin: `lmflow evaluate` scores a model on tasks, which are data files; training may too.
import { ANSWER_CHECKS, definePlugin, EVALUATIONS } from '@lmflow/sdk';
import { answerChecks } from './answer-checks.ts';
import { evaluateCommand } from './command.ts';
import { aliases, evaluateOptions } from './options.ts';
import { checkTrainingTasks, trainingTasks } from './training-tasks.ts';
import manifest from '../package.json' with { type: 'json' };

export type { ComparedGroup, ComparedMean } from './compare/compared-groups.ts';
export type { ComparedMetric, ComparedTask, Difference } from './compare/compared-task.ts';
export type { Comparison } from './compare/comparison.ts';
export { answerChecks } from './answer-checks.ts';
export type { EvaluateResult, TaskResult } from './results.ts';
export { evaluateOptions, type EvaluateOptions } from './options.ts';
export {
  isTextStatistic,
  textStatistic,
  textStatisticNames,
  type TextStatistic,
} from './text/statistics.ts';
export type { TaskFile } from './task-file.ts';

const evaluate = definePlugin({
  name: '@lmflow/plugin-evaluate',
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-datasets'],
  options: { schema: evaluateOptions, aliases },
  apply(context) {
    for (const check of answerChecks) context.contribute(ANSWER_CHECKS, check);
    context.command(evaluateCommand(context));
    context.contribute(EVALUATIONS, trainingTasks(context));
    context.hooks.onConfig.tap((config) => {
      checkTrainingTasks(config);
    });
  },
});

export default evaluate;
