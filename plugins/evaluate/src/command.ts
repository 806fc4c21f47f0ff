// `lmflow evaluate`: its flags, and the way from tasks to a table and files.
import { dirname } from 'node:path';
import type {
  CommandInvocation,
  CommandOutcome,
  CommandSpec,
  Config,
  PluginContext,
} from '@lmflow/sdk';
import { compare } from './compare/command.ts';
import { eitherTasksOrMetric, settingMissing, sideUnusable } from './errors.ts';
import { evaluateModel } from './evaluate-model.ts';
import { flags as schema, namesIn, type Flags } from './flags.ts';
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
    summary: 'Scores a model on tasks: choices by log-likelihood, generated answers, perplexity.',
    usage: '[--compare <side> <side> ...]',
    options: schema,
    aliases: { numFewShot: 'numFewshot' },
    unsupported: {
      outputPath: 'say --output-dir',
    },
    sections: [
      'model',
      'outputDir',
      'dataset',
      'lora.adapter',
      'chatTemplate',
      'quantize.bits',
      'device',
      'scoring',
      'lora',
    ],
    examples: [
      'lmflow evaluate --model org/model --tasks arc_easy,hellaswag --limit 100',
      'lmflow evaluate --model org/model --lora-adapter out --tasks "mmlu_*" --num-fewshot 5 --output-dir results',
      'lmflow evaluate --model org/chat-model --tasks gsm8k --apply-chat-template --limit 100',
      'lmflow evaluate --model org/model --tasks open_llm_leaderboard --output-dir results',
      'lmflow evaluate --model org/model --tasks my-task.json --data-dir data',
      'lmflow evaluate --model org/model --dataset questions.json --metric perplexity',
      'lmflow evaluate --compare org/model out out@4bit --tasks arc_easy',
      'lmflow evaluate --compare results/before results/after',
    ],
    run: (invocation: CommandInvocation) => evaluate(context, invocation),
  };
}

async function evaluate(
  context: PluginContext,
  { config, options, positionals, signal, output }: CommandInvocation,
): Promise<CommandOutcome<EvaluateResult>> {
  const flags = options as Flags;
  checkFlags(flags, config, positionals);
  const { log } = context;
  const tasks = findTasks(namesIn(flags.tasks));
  const asked = { flags, tasks, signal };
  if (flags.compare) {
    const sides = [...flags.compare, ...positionals];
    const { comparison, table, files } = await compare(context, sides, asked);
    output.write(table);
    log.event('evaluate', { comparison, files }, filesText(files));
    return { result: { tasks: [], comparison, files } };
  }
  const source = config.model!;
  const found = await evaluateModel(context, { name: source, source }, asked);
  const { groups, files } = found;
  const results = found.evaluated.map(({ result }) => result);
  output.write(found.table);
  log.event('evaluate', { tasks: results, groups, files }, filesText(files));
  return { result: { tasks: results, groups, files } };
}

/** Throws for what is missing, or too much. */
function checkFlags(
  { tasks, metric, compare: sides }: Flags,
  config: Config,
  positionals: readonly string[],
): void {
  if (tasks !== undefined && metric !== undefined) throw eitherTasksOrMetric();
  if (sides === undefined) {
    const [word] = positionals;
    if (word !== undefined) throw sideUnusable(word, 'it stands without --compare before it');
    if (tasks === undefined && metric === undefined) {
      throw settingMissing('tasks', `--tasks ${taskNames()[0]}`);
    }
    if (config.model === undefined) throw settingMissing('model', '--model org/model');
  }
  if (metric !== undefined && config.dataset === undefined) {
    throw settingMissing('dataset', '--dataset data.json');
  }
}

function filesText([first]: readonly string[]): string {
  return first === undefined ? '' : `written to ${dirname(first)}`;
}
