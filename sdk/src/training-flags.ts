import { z } from 'zod';

/** Flags that every command that trains has; `dryRun` is `OpenRequest.dryRun`. */
export const trainingFlags = z.object({
  dryRun: z
    .boolean()
    .default(false)
    .describe('Load everything, print the plan and stop before the first step.'),
});

/** Flags of a command that trains, as it gets them. */
export type TrainingFlags = z.output<typeof trainingFlags>;
