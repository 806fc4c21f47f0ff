// How varied and how long the texts of a corpus are: the statistics of GEM-metrics, which papers on
// alignment report beside rewards.
import { countNgrams, total } from './ngrams.ts';
import { wordTokens } from './word-tokens.ts';

/** Tokens of one segment of the mean segmental type-token ratio. */
const SEGMENT = 100;

/** By metric: of the tokens of each text. */
const STATISTICS = {
  answer_length: (texts) => texts.flat().length / texts.length,
  distinct_1: (texts) => distinct(texts, 1),
  distinct_2: (texts) => distinct(texts, 2),
  unique_1: (texts) => unique(texts, 1),
  unique_2: (texts) => unique(texts, 2),
  msttr_100: (texts) => meanSegmental(texts.flat()),
} satisfies Record<string, (texts: readonly (readonly string[])[]) => number>;

/** What may be asked of the texts of a corpus. */
export type TextStatistic = keyof typeof STATISTICS;

/** Their names. */
export const textStatisticNames = Object.keys(STATISTICS) as [TextStatistic, ...TextStatistic[]];

/** Tokens of texts that were split before: all statistics ask for them. */
const known = new Map<string, readonly string[]>();
const MOST_KNOWN = 20_000;

/** Whether a metric is one of these. */
export function isTextStatistic(metric: string): metric is TextStatistic {
  return Object.hasOwn(STATISTICS, metric);
}

/**
 * A statistic of a corpus. `distinct_n`: different n-grams as a share of all, 0 to 1; `unique_n`: how
 * many occur once; `msttr_100`: different tokens as a share of segments of 100, averaged, NaN below
 * 100 tokens; `answer_length`: tokens of a text. n-grams end with their text. Compare corpora of one
 * size only: more text repeats itself more.
 */
export function textStatistic(name: TextStatistic, texts: readonly string[]): number {
  return STATISTICS[name](texts.map(tokensOf));
}

function tokensOf(text: string): readonly string[] {
  const tokens = known.get(text) ?? wordTokens(text);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(text, tokens);
  return tokens;
}

function counted(texts: readonly (readonly string[])[], order: number): Map<string, number> {
  const all = new Map<string, number>();
  for (const tokens of texts) {
    for (const [ngram, count] of countNgrams(tokens, order)) {
      all.set(ngram, (all.get(ngram) ?? 0) + count);
    }
  }
  return all;
}

function distinct(texts: readonly (readonly string[])[], order: number): number {
  const counts = counted(texts, order);
  return counts.size / total(counts);
}

function unique(texts: readonly (readonly string[])[], order: number): number {
  return [...counted(texts, order).values()].filter((count) => count === 1).length;
}

function meanSegmental(tokens: readonly string[]): number {
  const segments = Math.floor(tokens.length / SEGMENT);
  let sum = 0;
  for (let at = 0; at < segments; at++) {
    sum += new Set(tokens.slice(at * SEGMENT, (at + 1) * SEGMENT)).size / SEGMENT;
  }
  return sum / segments;
}
