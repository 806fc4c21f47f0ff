// What a task file says: where the records are, what is asked of each, and what counts. It is data,
// without code; the names of tasks, metrics and splits are lm-evaluation-harness'.
import { z } from 'zod';
import { generateFields } from './generate-task.ts';
import { isContrast } from './text/contrast.ts';
import { filterNames, templateProblem } from './template.ts';

const template = z.string().refine((text) => templateProblem(text) === undefined, {
  error: ({ input }) => templateProblem(String(input)) ?? '',
});
const path = z.string().regex(/^\w[\w.]*$/, 'is the path of a column, such as choices.text');

const common = {
  task: z.string().regex(/^[\w*-]+$/),
  version: z.number(),
  /** Each makes a task of its own, in whose name and subset it stands for the `*`. */
  variants: z.array(z.string()).min(1).optional(),
  dataset: z.strictObject({
    path: z.string(),
    subset: z.string().optional(),
    revision: z.string().optional(),
    /** In place of path: a file for each split. */
    files: z.record(z.string(), z.string()).optional(),
    /** Where its splits have other names than files of one's own. */
    splits: z.record(z.string(), z.string()).optional(),
  }),
  /** The data's names of splits. Evaluated is test, else validation; shots are of shots, else train. */
  splits: z.strictObject({
    train: z.string().optional(),
    validation: z.string().optional(),
    test: z.string().optional(),
    shots: z.string().optional(),
  }),
  /** Examples where nobody says how many; 0 is never more. */
  numFewshot: z.int().min(0).optional(),
};

/** What a prompt with examples has. */
const asked = {
  /** Before everything else of a prompt. */
  description: template.default(''),
  /** Filters of the whole question and of each choice. */
  filters: z.array(z.enum(filterNames as [string, ...string[]])).default([]),
  /** Between a question and its answer. */
  targetDelimiter: z.string().default(' '),
  /** Behind each example. */
  fewshotDelimiter: z.string().default('\n\n'),
  /** Drawn for each record, or the first ones in order. */
  sampler: z.enum(['default', 'first_n']).default('default'),
};

const choice = z.strictObject({
  ...common,
  ...asked,
  type: z.literal('choice'),
  /** The question; left out where `contexts` are. */
  prompt: template.optional(),
  /** The choices' texts, or the column that has them. */
  choices: z.union([z.array(template).min(2), path]).optional(),
  /** In place of prompt and choices: the question for each choice, and what follows them all. */
  contexts: z.array(template).min(2).optional(),
  continuation: template.optional(),
  /**
   * The right choice: the column of its index, its index, or its label among labels. `truths` is the
   * column of a list with 1 for each right choice; `acc` is the share of their probability then.
   */
  gold: z.union([
    path,
    z.int().min(0),
    z.strictObject({ label: template, labels: z.union([z.array(z.string()).min(2), path]) }),
    z.strictObject({ truths: path }),
  ]),
  metrics: z.array(z.enum(['acc', 'acc_norm', 'acc_bytes', 'acc_mutual_info'])).min(1),
});

const generate = z.strictObject({
  ...common,
  ...asked,
  ...generateFields,
  type: z.literal('generate'),
  prompt: template,
  /** The right answer, or the column of a list of them. */
  target: z.union([path, template]),
  /** Always right, beside the target. */
  alsoRight: z.array(z.string()).default([]),
  /** The column of a list of wrong answers, which some metrics compare with. */
  wrong: path.optional(),
  /** Filters of right and wrong answers; what becomes empty is left out. */
  answerFilters: z.array(z.enum(filterNames as [string, ...string[]])).default([]),
});

const rolling = z.strictObject({
  ...common,
  type: z.literal('rolling'),
  /** The text that is scored. */
  text: template,
  /** The text whose words and bytes are counted; by default the same. */
  counted: template.optional(),
  metrics: z.array(z.enum(['word_perplexity', 'byte_perplexity', 'bits_per_byte'])).min(1),
});

export const taskSchema = z.discriminatedUnion('type', [
  choice.refine(
    ({ prompt, choices, contexts, continuation }) =>
      contexts === undefined
        ? prompt !== undefined && choices !== undefined && continuation === undefined
        : prompt === undefined && choices === undefined && continuation !== undefined,
    'needs prompt and choices, or contexts and continuation',
  ),
  generate.refine(
    ({ metrics, wrong }) => wrong !== undefined || !metrics.some((one) => isContrast(one.metric)),
    'needs the column of wrong answers for its metrics',
  ),
  rolling,
]);

/** A task file, parsed. */
export type TaskFile = z.output<typeof taskSchema>;
export type ChoiceTask = Extract<TaskFile, { type: 'choice' }>;
export type GenerateTask = Extract<TaskFile, { type: 'generate' }>;
export type RollingTask = Extract<TaskFile, { type: 'rolling' }>;
