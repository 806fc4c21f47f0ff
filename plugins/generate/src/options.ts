// The section `generate`: the options of every generation, which a request can override, and flags
// of the commands.
import { z } from 'zod';

const whole = z.number().int();

/** Options of one generation, with GenerationConfig's names in camelCase. */
export const generationOptions = z.object({
  maxNewTokens: whole
    .min(1)
    .optional()
    .describe('Most tokens of an answer; by default what the context leaves.'),
  minNewTokens: whole.min(0).optional().describe('Fewest tokens of an answer.'),
  doSample: z
    .boolean()
    .optional()
    .describe(
      'Draw tokens instead of taking the likeliest; on where temperature, topK, topP or minP is set.',
    ),
  temperature: z
    .number()
    .min(0)
    .optional()
    .describe('Divides the logits: below 1 less varied, above 1 more varied; 0 is greedy.'),
  topK: whole
    .min(0)
    .optional()
    .describe('Draw among the k likeliest tokens; 0 for all. Default 50, as in transformers.'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Draw among the fewest tokens whose probabilities reach p.'),
  minP: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('Draw among tokens at least this fraction as likely as the likeliest.'),
  repetitionPenalty: z
    .number()
    .gt(0)
    .optional()
    .describe('Above 1, tokens of the prompt and the answer become less likely.'),
  presencePenalty: z
    .number()
    .optional()
    .describe('Subtracted from the logits of tokens that the answer already has.'),
  frequencyPenalty: z
    .number()
    .optional()
    .describe('Subtracted from the logit of a token for each time the answer has it.'),
  noRepeatNgramSize: whole
    .min(0)
    .optional()
    .describe('No sequence of this many tokens repeats; 0 for no limit.'),
  numBeams: whole.min(1).optional().describe('Number of beams; above 1, beam search.'),
  numReturnSequences: whole.min(1).optional().describe('Number of answers to each prompt.'),
  lengthPenalty: z
    .number()
    .optional()
    .describe('Beam search: scores are divided by the length to this power.'),
  earlyStopping: z
    .union([z.boolean(), z.literal('never')])
    .optional()
    .describe(
      'Beam search ends when numBeams beams have ended (true), or no better one is likely (false) ' +
        'or possible ("never").',
    ),
  logitBias: z
    .record(z.string().regex(/^\d+$/), z.number())
    .optional()
    .describe('Added to the logits of token ids: { "15043": -100 }.'),
  stop: z
    .array(z.string().min(1))
    .optional()
    .describe('The answer ends before the first of these texts.'),
  eosTokenId: z
    .array(whole.min(0))
    .optional()
    .describe("Ids of the tokens that end an answer, in place of the model's; [] for none."),
  truncation: z
    .enum(['error', 'left'])
    .optional()
    .describe('For a prompt longer than the context: fail (the default), or cut its beginning.'),
});

/** The flag for what a request sets for plugins. */
export const requestSettings = z
  .record(z.string(), z.unknown())
  .optional()
  .describe('Settings of the request for plugins, by name: {"grammar": "..."}.');

/** Other names of options. */
export const aliases = {
  maxTokens: 'maxNewTokens',
  stopStrings: 'stop',
  numSequences: 'numReturnSequences',
} as const;

/** Names of GenerationConfig that are not supported, with the reason. */
export const unsupported = {
  maxLength: 'set maxNewTokens, which does not count the prompt',
  minLength: { reason: 'set minNewTokens, which does not count the prompt', accepts: [0] },
  typicalP: { reason: 'set minP, which has the same purpose', accepts: [1] },
  epsilonCutoff: { reason: 'set minP', accepts: [0] },
  etaCutoff: { reason: 'set minP', accepts: [0] },
  numBeamGroups: { reason: 'there is no group beam search', accepts: [1] },
  diversityPenalty: { reason: 'there is no group beam search', accepts: [0] },
  penaltyAlpha: { reason: 'there is no contrastive search', accepts: [null] },
  guidanceScale: { reason: 'there is no classifier-free guidance', accepts: [null, 1] },
  badWordsIds: { reason: 'set logitBias of single tokens to -100', accepts: [null] },
  suppressTokens: { reason: 'set logitBias to -100', accepts: [null] },
  sequenceBias: { reason: 'set logitBias for single tokens', accepts: [null] },
  forcedBosTokenId: { reason: 'it is for encoder-decoder models', accepts: [null] },
  forcedEosTokenId: { reason: 'set maxNewTokens', accepts: [null] },
  maxTime: { reason: 'abort the signal of the request', accepts: [null] },
} as const;

/** Flags of training data that look like flags of the commands, with what to set instead. */
export const forTraining = {
  truncation:
    'it is for training data; for prompts set --generate-truncation (generate.truncation)',
  packing: 'it is for training data; prompts are decoded together, up to generate.maxBatchSize',
  blockSize:
    'it is for training data; for prompts set --generate-context-length (generate.contextLength)',
} as const;

/** The section. */
export const schema = generationOptions.extend({
  maxBatchSize: whole.min(1).default(16).describe('Most sequences decoded together; others wait.'),
  contextLength: whole
    .min(2)
    .optional()
    .describe(
      "Most tokens of prompt and answer together; by default the checkpoint's positions. " +
        'Models with rotary positions allow more.',
    ),
  useCache: z
    .boolean()
    .default(true)
    .describe(
      'Keep keys and values of earlier tokens. False computes every token from all before it: slow, ' +
        'to check the cache.',
    ),
});

export type GenerateOptions = z.input<typeof schema>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    generate?: GenerateOptions;
  }
}
