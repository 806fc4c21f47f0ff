// The section `grpo` of the configuration: names of TRL's GRPOConfig and RLOOConfig in camelCase.
// Numbers that only some losses read have no default here, so that one that is given for nothing is an
// error (settings.ts).
import type { Refusal } from '@lmflow/sdk';
import { z } from 'zod';
import { LOSS_NAMES } from './losses.ts';

export const grpoOptions = z.object({
  lossType: z
    .enum(LOSS_NAMES)
    .default('dapo')
    .describe(
      'How the tokens of answers are weighed: all alike (dapo, bnpo), each answer alike (grpo), by ' +
        'the longest possible answer (dr_grpo), all with truncated ratios (cispo), or answers as a ' +
        'whole against the mean of the others (rloo).',
    ),
  numGenerations: z
    .int()
    .min(2)
    .optional()
    .describe('Answers to each prompt, which are compared. Default: 8; of rloo 2.'),
  maxCompletionLength: z.int().min(1).default(512).describe('Most tokens of an answer.'),
  temperature: z
    .number()
    .positive()
    .default(1)
    .describe('Logits are divided by it, when answers are drawn and when they are trained.'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('Draw from the likeliest tokens with this share of the probability; 1 for all.'),
  topK: z.int().min(0).default(0).describe('Draw from so many likeliest tokens; 0 for all.'),
  minP: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("Draw from tokens with at least this share of the likeliest one's probability."),
  repetitionPenalty: z
    .number()
    .positive()
    .default(1)
    .describe('Logits of tokens that have come are divided by it when answers are drawn.'),
  beta: z
    .number()
    .min(0)
    .optional()
    .describe('Weight of the KL divergence from the reference. Default: 0, none; of rloo 0.05.'),
  useBiasCorrectionKl: z
    .boolean()
    .optional()
    .describe('Multiply the KL divergence of a token by its ratio. Default: true.'),
  numIterations: z
    .int()
    .min(1)
    .default(1)
    .describe('Passes over the answers of a round before new ones are drawn.'),
  stepsPerGeneration: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Micro-batches of a round, for which answers are drawn at once; a multiple of ' +
        'gradientAccumulationSteps. Default: that.',
    ),
  epsilon: z
    .number()
    .positive()
    .optional()
    .describe('Ratios below 1 - epsilon are clipped. Default: 0.2.'),
  epsilonHigh: z
    .number()
    .positive()
    .optional()
    .describe(
      'Ratios above 1 + epsilonHigh are clipped. Default: epsilon. Of cispo the most that a ratio ' +
        'counts, by default 5.',
    ),
  delta: z
    .number()
    .gt(1)
    .optional()
    .describe('Most that a ratio counts where the answer is worse than the others (two-sided).'),
  importanceSamplingLevel: z
    .enum(['token', 'sequence'])
    .optional()
    .describe('Ratios of tokens, or of whole answers (GSPO). Default: token.'),
  scaleRewards: z
    .enum(['group', 'batch', 'none'])
    .optional()
    .describe(
      'Divide advantages by the standard deviation of the rewards to a prompt, of all in a round, ' +
        'or not. Default: group; of dr_grpo none.',
    ),
  multiObjectiveAggregation: z
    .enum(['sum_then_normalize', 'normalize_then_sum'])
    .optional()
    .describe(
      'Several rewards: add them up and compare the sums, or compare by each and add up (GDPO). ' +
        'Default: sum_then_normalize.',
    ),
  normalizeAdvantages: z
    .boolean()
    .optional()
    .describe('rloo: normalise advantages over a round. Default: false.'),
  maskTruncatedCompletions: z
    .boolean()
    .default(false)
    .describe('Do not train answers that were cut at maxCompletionLength.'),
  shuffleDataset: z.boolean().default(true).describe('Draw prompts in random order.'),
  disableDropout: z
    .boolean()
    .default(true)
    .describe('Train without dropout, also where an adapter has some.'),
  numCompletionsToPrint: z
    .int()
    .min(0)
    .default(2)
    .describe('Answers that are shown with each entry of the log, with their rewards.'),
});

/** The parsed section. */
export type GrpoOptions = z.output<typeof grpoOptions>;

/** Other names of these. */
export const aliases = {
  loss: 'lossType',
  numSamples: 'numGenerations',
  maxNewTokens: 'maxCompletionLength',
  klCoef: 'beta',
};

const reference = 'the reference is the model as training finds it';
const weights = 'give each reward its weight: rewards: [{ type, weight }]';
const entropy = 'entropy has no part in the loss';

export const unsupported: Readonly<Record<string, Refusal>> = {
  maxPromptLength: 'TRL has it no more; prompts that do not fit are left out and counted',
  rewardWeights: { reason: weights, accepts: [null] },
  rewardClipRange: { reason: 'set rewardClip', accepts: [null] },
  rewardFuncs: 'set rewards',
  generationBatchSize: { reason: 'set stepsPerGeneration', accepts: [null] },
  refModel: { reason: reference, accepts: [null] },
  syncRefModel: { reason: `${reference}, and stays so`, accepts: [false] },
  topEntropyQuantile: { reason: entropy, accepts: [1] },
  entropyCoef: { reason: entropy, accepts: [0] },
  useVllm: { reason: 'answers are drawn from the model in training', accepts: [false] },
  logCompletions: { reason: 'set numCompletionsToPrint', accepts: [true] },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    grpo?: z.input<typeof grpoOptions>;
  }
}
