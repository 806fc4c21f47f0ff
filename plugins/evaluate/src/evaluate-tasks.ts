// The tasks that are asked for, one after the other, on a model that is loaded.
import { DATASETS } from '@lmflow/plugin-datasets';
import type { PluginContext } from '@lmflow/sdk';
import { chatPrompts } from './chat-prompts.ts';
import { evaluateTask, type Evaluation, type FinishedTask } from './evaluation.ts';
import type { Flags } from './flags.ts';
import { readTaskData } from './task-data.ts';
import type { TaskFile } from './task-file.ts';

/** Evaluates tasks; how many prompts were cut is told. */
export async function evaluateTasks(
  { resolve, log }: PluginContext,
  tasks: readonly TaskFile[],
  flags: Flags,
  common: Omit<Evaluation, 'ask'>,
): Promise<readonly FinishedTask[]> {
  const { numFewshot, limit = Infinity, fewshotSeed: seed, dataDir, systemInstruction } = flags;
  const { signal, model } = common;
  const chat = flags.applyChatTemplate
    ? chatPrompts(model, { multiturn: flags.fewshotAsMultiturn, log })
    : undefined;
  if (!chat && model.tokenizer.chatTemplate !== undefined) {
    log.info('the model has a chat template: with --apply-chat-template prompts are chats');
  }
  const evaluated: FinishedTask[] = [];
  for (const task of tasks) {
    const shots = shotsOf(task, numFewshot);
    const data = await readTaskData(task, { datasets: resolve(DATASETS), dataDir, shots, signal });
    const ask = { shots, limit, seed, systemInstruction, chat };
    const found = await evaluateTask(task, data, { ...common, ask });
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

/** Examples before a question, where so many are asked for. */
export function shotsOf(task: TaskFile, wanted: number | undefined): number {
  if (task.type === 'rolling' || task.numFewshot === 0) return 0;
  return wanted ?? task.numFewshot ?? 0;
}
