// The flags of `lmflow evaluate`.
import { z } from 'zod';
import { answeredMetrics } from './own-answers.ts';
import { scoredMetrics } from './own-data.ts';

export const flags = z.object({
  tasks: z
    .string()
    .optional()
    .describe(
      'Names of tasks, groups and files (.json, .yaml), with commas; mmlu_* for all that fit.',
    ),
  metric: z
    .enum([...scoredMetrics, ...answeredMetrics])
    .optional()
    .describe('In place of tasks: what to measure on the samples of dataset.'),
  answerType: z
    .string()
    .default('text')
    .describe(
      'For --metric accuracy: how answers are read: number, letter, yes-no-maybe, text, exact, regex.',
    ),
  maxNewTokens: z
    .int()
    .min(1)
    .optional()
    .describe('For --metric: most tokens of an answer; by default 256, or half of the context.'),
  compare: z
    .array(z.string())
    .optional()
    .describe(
      'Two or more models, adapters (@4bit, @8bit behind them) or folders of results; more follow as words.',
    ),
  resamples: z
    .int()
    .min(1)
    .default(10_000)
    .describe('For --compare: resamples of the paired bootstrap.'),
  numFewshot: z
    .int()
    .min(0)
    .optional()
    .describe("Examples before each question; by default the task's own number, else 0."),
  applyChatTemplate: z
    .boolean()
    .default(false)
    .describe("Ask with the model's chat template; else prompts are plain text."),
  fewshotAsMultiturn: z
    .boolean()
    .default(true)
    .describe('In chats, examples are turns of their own; else part of the question.'),
  systemInstruction: z
    .string()
    .optional()
    .describe("A system message, before the task's description; without a chat, plain text."),
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
    .describe(
      'Most rows or prompts at once; by default as scoring.batchTokens and generate.maxBatchSize allow.',
    ),
});
export type Flags = z.output<typeof flags>;

/** The names in `--tasks`. */
export function namesIn(tasks: string | undefined): string[] {
  return tasks?.split(',').map((name) => name.trim()) ?? [];
}
