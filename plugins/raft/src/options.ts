// The section `raft` of the configuration, other names of its keys, and settings that it has no use for.
import type { Config } from '@lmflow/sdk';
import { z } from 'zod';

export const raftOptions = z.object({
  rounds: z.int().min(1).default(20).describe('Rounds: draw, reward, select, train.'),
  promptsPerRound: z
    .int()
    .min(1)
    .default(128)
    .describe('Prompts of a round; the data are gone through in random order, again and again.'),
  numGenerations: z.int().min(1).default(8).describe('Answers to each prompt (K).'),
  maxNewTokens: z.int().min(1).default(128).describe('Most tokens of an answer.'),
  temperature: z.number().positive().default(1).describe('Temperature of the answers.'),
  topK: z.int().min(0).default(0).describe('Draw from so many likeliest tokens; 0 for all.'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('Draw from the likeliest tokens with this share of the probability; 1 for all.'),
  selection: z
    .enum(['best', 'topFraction', 'positive'])
    .default('best')
    .describe(
      'Which answers are trained: the best of each prompt, the best of all (rewards must compare ' +
        'across prompts), or all above the threshold.',
    ),
  topFraction: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Share of all answers that selection topFraction trains. Default: 0.125.'),
  threshold: z
    .number()
    .optional()
    .describe('Selection positive trains answers with more than this reward. Default: 0.'),
  mixedOnly: z
    .boolean()
    .default(false)
    .describe(
      'Leave out prompts whose answers all have one reward: all right or all wrong (Reinforce-Rej).',
    ),
  truncated: z
    .enum(['drop', 'penalize', 'keep'])
    .default('drop')
    .describe('Answers that were cut: never trained, less rewarded, or trained without an end.'),
  truncationPenalty: z
    .number()
    .positive()
    .optional()
    .describe('What the reward of a cut answer loses with truncated penalize. Default: 1.'),
  klCoef: z
    .number()
    .min(0)
    .default(0)
    .describe(
      'Answers are ranked by reward - klCoef log(policy / start); the policy and the model that ' +
        'training started from.',
    ),
  logKl: z
    .boolean()
    .optional()
    .describe(
      'Measure how far the policy is from the start. Default: where that is an adapter switched ' +
        'off; elsewhere it is a second model in memory.',
    ),
  optimizer: z
    .enum(['fresh', 'kept'])
    .default('fresh')
    .describe("Whether a round begins with a new optimizer, or goes on with the last round's."),
  schedule: z
    .enum(['round', 'run'])
    .default('round')
    .describe('Whether the learning rate falls within each round, or over the whole run.'),
  patience: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Stop after so many rounds without a higher reward: of the prompts of evalDataset, else the ' +
        'mean of all answers.',
    ),
  numCompletionsToPrint: z
    .int()
    .min(0)
    .default(2)
    .describe('Answers that are shown after each round, with their rewards.'),
});

/** The parsed section. */
export type RaftOptions = z.output<typeof raftOptions>;

/** Names of the original LMFlow and of TRL. */
export const aliases = {
  numRaftIteration: 'rounds',
  numSamples: 'numGenerations',
  maxCompletionLength: 'maxNewTokens',
  collectionStrategy: 'selection',
  topRewardPercentage: 'topFraction',
};

const fixed = 'all answers of a run have one limit, maxNewTokens';

export const unsupported = {
  raftBatchSize: 'set promptsPerRound and numGenerations: their product is the answers of a round',
  outputMinLength: fixed,
  outputMaxLength: fixed,
  inferenceBatchSizePerDevice: 'set generate.maxBatchSize',
};

/** Settings of other sections that would do nothing to answers of the model: key, value, why. */
const IDLE: readonly (readonly [key: string, value: unknown, why: string])[] = [
  ['trainOnPrompt', true, 'answers alone are trained'],
  ['groupTexts', true, 'it joins plain texts'],
  ['maskHistory', true, 'the drawn answer alone is trained'],
  ['dataloaderDropLast', true, 'every selected answer is trained'],
  ['trainSamplingStrategy', 'group_by_length', 'the selected answers of a round are few'],
  ['groupByLength', true, 'the selected answers of a round are few'],
];

/** A setting without effect, if there is one. */
export function idleSetting(
  config: Config,
  { selection, topFraction, threshold, truncated, truncationPenalty, logKl, klCoef }: RaftOptions,
): { readonly key: string; readonly why: string } | undefined {
  const idle = IDLE.find(([key, value]) => config[key] === value);
  if (idle) return { key: idle[0], why: idle[2] };
  if (topFraction !== undefined && selection !== 'topFraction') {
    return { key: 'raft.topFraction', why: `selection is ${selection}` };
  }
  if (threshold !== undefined && selection !== 'positive') {
    return { key: 'raft.threshold', why: `selection is ${selection}` };
  }
  if (truncationPenalty !== undefined && truncated !== 'penalize') {
    return { key: 'raft.truncationPenalty', why: `truncated is ${truncated}` };
  }
  return logKl === false && klCoef > 0
    ? { key: 'raft.logKl', why: 'klCoef needs what it measures' }
    : undefined;
}

declare module '@lmflow/sdk' {
  interface ConfigSections {
    raft?: z.input<typeof raftOptions>;
  }
}
