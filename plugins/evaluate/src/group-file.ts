// What a group file says: which tasks it has, with how many examples, and what is averaged.
import { z } from 'zod';
import type { TaskFigure } from './metrics.ts';

const member = z.strictObject({
  /** A task, a group, or a name with `*`. */
  task: z.string(),
  numFewshot: z.int().min(0).optional(),
  /** The figure that counts in the average: `acc_norm`, `exact_match,strict-match`. */
  metric: z.string().optional(),
});
export type GroupMember = z.output<typeof member>;

export const groupSchema = z
  .strictObject({
    group: z.string().regex(/^[\w-]+$/),
    version: z.number(),
    tasks: z
      .array(z.union([z.string().transform((task): GroupMember => ({ task })), member]))
      .min(1),
    /** Means over the group's tasks: by default each record counts as much, else each task. */
    metrics: z
      .array(z.strictObject({ metric: z.string(), weightBySize: z.boolean().default(true) }))
      .default([]),
    /** The mean of what the members name as their metric; of several tasks, it is their mean. */
    average: z.boolean().default(false),
  })
  .refine(
    ({ average, tasks }) => !average || tasks.every(({ metric }) => metric !== undefined),
    'average needs a metric of each of its tasks',
  );

/** A group file, parsed. */
export type GroupFile = z.output<typeof groupSchema>;

/** A group with the names of the tasks that each member stands for. */
export interface TaskGroup extends GroupFile {
  readonly members: readonly (GroupMember & { readonly names: readonly string[] })[];
}

/** What one group gave. */
export interface GroupResult {
  readonly group: string;
  readonly version: number;
  readonly tasks: readonly string[];
  readonly records: number;
  readonly metrics: Readonly<Record<string, TaskFigure>>;
}
