// The section `generate`: what every generation uses unless a request says otherwise. Also the
// flags of the commands.
import { z } from 'zod';

const whole = z.number().int();

/** Options of one generation: GenerationConfig's names in camelCase. All may be left out. */
export const generationOptions = z.object({
  maxNewTokens: whole
    .min(1)
    .optional()
    .describe('Most tokens of an answer; by default as many as the context holds.'),
  minNewTokens: whole.min(0).optional().describe('Tokens before which an answer does not end.'),
  doSample: z
    .boolean()
    .optional()
    .describe(
      'Draw tokens instead of taking the likeliest; true where a temperature, topK, topP or minP is set.',
    ),
  temperature: z
    .number()
    .min(0)
    .optional()
    .describe('Divides the logits: below 1 bolder, above 1 more varied; 0 is greedy.'),
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
    .describe('Draw among tokens at least this share as likely as the likeliest.'),
  repetitionPenalty: z
    .number()
    .gt(0)
    .optional()
    .describe('Above 1, tokens of prompt and answer become less likely.'),
  presencePenalty: z
    .number()
    .optional()
    .describe('Subtracted from the logits of tokens the answer has already.'),
  frequencyPenalty: z
    .number()
    .optional()
    .describe('Subtracted for each time the answer has a token already.'),
  noRepeatNgramSize: whole
    .min(0)
    .optional()
    .describe('No sequence of so many tokens comes twice; 0 allows it.'),
  numBeams: whole.min(1).optional().describe('Beam search with so many beams.'),
  numReturnSequences: whole.min(1).optional().describe('Answers to each prompt.'),
  lengthPenalty: z
    .number()
    .optional()
    .describe("Beam search: exponent of the length that a beam's score is divided by."),
  earlyStopping: z
    .union([z.boolean(), z.literal('never')])
    .optional()
    .describe(
      'Beam search: stop as soon as numBeams beams have ended (true), when no better one is likely (false) or possible ("never").',
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
    .describe("Tokens that end an answer, in place of the model's; none to go on."),
  truncation: z
    .enum(['error', 'left'])
    .optional()
    .describe('A prompt longer than the context: an error (default), or without its beginning.'),
});

/** The flag of the commands for what a request sets for plugins. */
export const requestSettings = z
  .record(z.string(), z.unknown())
  .optional()
  .describe('What plugins take with a request, by name: {"grammar": "..."}.');

/** Names of GenerationConfig that mean one of ours. */
export const aliases = {
  maxTokens: 'maxNewTokens',
  stopStrings: 'stop',
  numSequences: 'numReturnSequences',
} as const;

/** Names of GenerationConfig that are not supported, with the reason. */
export const unsupported = {
  maxLength: 'set maxNewTokens: the prompt does not count',
  minLength: 'set minNewTokens: the prompt does not count',
  typicalP: 'typical sampling is not supported; minP serves the same end',
  epsilonCutoff: 'set minP',
  etaCutoff: 'set minP',
  numBeamGroups: 'group beam search is not supported',
  diversityPenalty: 'group beam search is not supported',
  penaltyAlpha: 'contrastive search is not supported',
  guidanceScale: 'classifier-free guidance is not supported',
  badWordsIds: 'set logitBias of single tokens to -100',
  suppressTokens: 'set logitBias to -100',
  sequenceBias: 'set logitBias for single tokens',
  forcedBosTokenId: 'it is for encoder-decoder models',
  forcedEosTokenId: 'set maxNewTokens',
  maxTime: 'abort the signal',
} as const;

/** Flags of training data that one could take for the commands' own. */
export const forTraining = {
  truncation:
    'it cuts samples of training; for prompts it is --generate-truncation (generate.truncation)',
  packing:
    'it fills sequences of training; prompts are answered together, generate.maxBatchSize at most',
  blockSize:
    'it is the length of training sequences; set --generate-context-length (generate.contextLength)',
} as const;

/** The section. */
export const schema = generationOptions.extend({
  maxBatchSize: whole.min(1).default(16).describe('Sequences decoded together; more wait.'),
  contextLength: whole
    .min(2)
    .optional()
    .describe(
      "Most tokens of prompt and answer together; by default the checkpoint's positions. Rotary models may be taken further.",
    ),
  useCache: z
    .boolean()
    .default(true)
    .describe(
      'Keep keys and values of earlier tokens. Without, every token is computed from all before it: slow, to check the cache.',
    ),
});

export type GenerateOptions = z.input<typeof schema>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    generate?: GenerateOptions;
  }
}
