// The part of a task file that says what a model writes, how its answers are read and compared.
import { z } from 'zod';
import { answerReading } from './answer-filters.ts';
import { regexSource } from './python-regex.ts';
import { contrastMetrics } from './text/contrast.ts';
import { textStatisticNames } from './text/statistics.ts';

/** How the answers are written; names as in the section `generate`. */
export const generationSchema = z.strictObject({
  /** An answer ends before the first of these; by default the delimiter of examples. */
  until: z.array(z.string().min(1)).optional(),
  maxNewTokens: z.int().min(1).default(256),
  doSample: z.boolean().default(false),
  temperature: z.number().min(0).optional(),
  topK: z.int().min(0).optional(),
  topP: z.number().gt(0).max(1).optional(),
  minP: z.number().min(0).max(1).optional(),
  repetitionPenalty: z.number().gt(0).optional(),
});

const exactMatch = z.strictObject({
  metric: z.literal('exact_match'),
  /** Deleted on both sides before anything else. */
  regexesToIgnore: z.array(regexSource).default([]),
  ignoreCase: z.boolean().default(false),
  ignorePunctuation: z.boolean().default(false),
  ignoreNumbers: z.boolean().default(false),
});
/** Right by a row of ANSWER_CHECKS. */
const checked = z.strictObject({ metric: z.literal('acc'), check: z.string() });
const ofCorpus = z.strictObject({ metric: z.enum(['bleu', 'chrf', 'chrf++']) });
/** Of the answers alone. */
const ofAnswers = z.strictObject({ metric: z.enum(textStatisticNames) });
/** Against right and wrong answers. */
const ofContrast = z.strictObject({ metric: z.enum(contrastMetrics) });
const ofWords = z.strictObject({
  metric: z.enum(['rouge1', 'rouge2', 'rougeL', 'rougeLsum']),
  /** Words are compared by their stems. */
  stemmer: z.boolean().default(false),
});

/** How an answer is compared with the right one, or ones. */
export const textMetric = z.discriminatedUnion('metric', [
  exactMatch,
  checked,
  ofCorpus,
  ofAnswers,
  ofContrast,
  ofWords,
]);
export type TextMetric = z.output<typeof textMetric>;
export type ExactMatchOptions = Omit<z.output<typeof exactMatch>, 'metric'>;

const plainNames = [
  exactMatch.shape.metric.value,
  ...ofCorpus.shape.metric.options,
  ...textStatisticNames,
  ...contrastMetrics,
  ...ofWords.shape.metric.options,
] as const;

/** A metric's name alone is the metric without options. */
const metrics = z
  .array(
    z.union([z.enum(plainNames).transform((metric) => textMetric.parse({ metric })), textMetric]),
  )
  .min(1);

/** What a task of generated answers has beside the prompt. */
export const generateFields = {
  generation: generationSchema.prefault({}),
  /** So many answers to each record. */
  repeats: z.int().min(1).default(1),
  /** Readings of the answers, each a row of the results. */
  answers: z
    .array(answerReading)
    .min(1)
    .default([{ name: 'none', filter: [{ function: 'take_first' }] }]),
  metrics,
};
