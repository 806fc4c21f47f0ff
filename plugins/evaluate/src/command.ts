// `lmflow evaluate`: its flags, and the way from tasks to a table and files.
import type { CommandInvocation, CommandOutcome, CommandSpec, PluginContext } from '@lmflow/sdk';
import { eitherTasksOrMetric, settingMissing } from './errors.ts';
import { evaluateModel } from './evaluate-model.ts';
import { flags as schema, type Flags } from './flags.ts';
import type { EvaluateResult } from './results.ts';
import { findTasks, taskNames } from './task-table.ts';

declare module '@lmflow/sdk' {
  interface CommandResults {
    evaluate: EvaluateResult;
  }
}

export function evaluateCommand(context: PluginContext): CommandSpec {
  return {
    name: 'evaluate',
    summary: 'Scores a model on tasks: multiple choice by log-likelihood, perplexity of texts.',
    options: schema,
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
  const flags = options as Flags;
  const { log } = context;
  const { model: source } = config;
  if (flags.tasks === undefined && flags.metric === undefined) {
    throw settingMissing('tasks', `--tasks ${taskNames()[0]}`);
  }
  if (flags.tasks !== undefined && flags.metric !== undefined) throw eitherTasksOrMetric();
  if (source === undefined) throw settingMissing('model', '--model org/model');
  if (flags.metric !== undefined && config.dataset === undefined) {
    throw settingMissing('dataset', '--dataset data.json');
  }
  const tasks = findTasks(flags.tasks?.split(',').map((name) => name.trim()) ?? []);
  const subject = { name: source, source };
  const { evaluated, table, folder, files } = await evaluateModel(context, subject, {
    flags,
    tasks,
    signal,
  });
  const results = evaluated.map(({ result }) => result);
  output.write(table);
  log.event('evaluate', { tasks: results, files }, files.length > 0 ? `written to ${folder}` : '');
  return { result: { tasks: results, files } };
}
