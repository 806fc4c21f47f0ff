// A function of the configuration as a reward.
import { defineReward, type RewardFunction } from '@lmflow/sdk';
import { z } from 'zod';

/** The kind that a function in `rewards` is short for. */
export const FUNCTION = 'function';

export const functionReward = defineReward({
  name: FUNCTION,
  description: 'what a function of the configuration gives',
  options: z.object({
    function: z
      .custom<RewardFunction>((value) => typeof value === 'function', 'must be a function')
      .describe(
        'Gets lists of prompts, completions and columns; gives a list of numbers or nulls.',
      ),
  }),
  // what it closes over cannot be seen
  open: ({ function: score }) => ({ score, fingerprint: String(score) }),
});
