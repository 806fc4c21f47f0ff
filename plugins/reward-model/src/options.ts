// The section `rewardModel` of the configuration.
import { z } from 'zod';

/** The options of the section. */
export const rewardModelOptions = z.object({
  margin: z
    .boolean()
    .default(true)
    .describe(
      'Ask for the margins that the data have: the chosen answer must be better by so much.',
    ),
  centerRewardsCoefficient: z
    .number()
    .nonnegative()
    .default(0)
    .describe('Weight of (chosen + rejected)^2, which keeps rewards around 0; 0.01 is usual.'),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(0.5)
    .default(0)
    .describe('Share of pairs that are taken to be labelled the wrong way round.'),
});

/** The parsed options. */
export type RewardModelOptions = z.output<typeof rewardModelOptions>;

type Input = z.input<typeof rewardModelOptions>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    rewardModel?: Input;
  }
}
