// The keys of the configuration: `rewards` and `rewardClip`. What a reward's own options are, its
// kind says (settings.ts).
import type { RewardFunction, RewardSetting } from '@lmflow/sdk';
import { z } from 'zod';

const setting = z.union([
  z.string().min(1),
  z.custom<RewardFunction>((value) => typeof value === 'function', 'must be a function'),
  z.looseObject({ type: z.string().min(1) }),
]);

export const range = z
  .tuple([z.number(), z.number()])
  .refine(([least, greatest]) => least < greatest, 'must be the least and the greatest value');

export const rewardsOptions = z.object({
  rewards: z
    .array(setting)
    .default([])
    .describe(
      'What is rewarded: names of rewards, functions, or { type, name, weight, gold, normalize, clip, ... }.',
    ),
  rewardClip: range.optional().describe('Least and greatest sum of the weighted rewards.'),
});

export type RewardsOptions = z.output<typeof rewardsOptions>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    rewards?: readonly RewardSetting[];
    rewardClip?: readonly [number, number];
  }
}
