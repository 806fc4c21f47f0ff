// The keys of the configuration that this plugin has: tasks of evaluations in training.
import { z } from 'zod';

export const evaluateOptions = z.object({
  evalTasks: z
    .array(z.string())
    .default([])
    .describe(
      'Tasks to evaluate whenever training evaluates: names and files, as for lmflow evaluate.',
    ),
  evalTasksLimit: z
    .int()
    .min(1)
    .optional()
    .describe('Evaluate so many of the first records of each of evalTasks.'),
  evalTasksNumFewshot: z
    .int()
    .min(0)
    .optional()
    .describe("Examples before each question of evalTasks; by default each task's own number."),
  evalTasksDataDir: z
    .string()
    .optional()
    .describe("Folder with a folder of data for each of evalTasks; else the task's hub id."),
});

export type EvaluateOptions = z.output<typeof evaluateOptions>;

export const aliases = { evalTasksNumFewShot: 'evalTasksNumFewshot' };

declare module '@lmflow/sdk' {
  interface ConfigSections {
    evalTasks?: readonly string[];
    evalTasksLimit?: number;
    evalTasksNumFewshot?: number;
    evalTasksDataDir?: string;
  }
}
