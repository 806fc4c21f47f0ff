// The plugin: `lmflow evaluate` scores a model on tasks, which are data files.
import { definePlugin } from '@lmflow/sdk';
import { evaluateCommand } from './command.ts';
import manifest from '../package.json' with { type: 'json' };

export type { ComparedMetric, ComparedTask, Comparison, Difference } from './compare/comparison.ts';
export type { EvaluateResult, TaskResult } from './results.ts';
export type { TaskFile } from './task-file.ts';

const evaluate = definePlugin({
  name: '@lmflow/plugin-evaluate',
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-datasets'],
  apply(context) {
    context.command(evaluateCommand(context));
  },
});

export default evaluate;
