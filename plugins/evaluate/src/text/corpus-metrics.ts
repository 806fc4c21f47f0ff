// BLEU and chrF, which are of a corpus: no mean of what its texts have.
import { PythonRandom } from '../python-random.ts';
import { bleuCounts, bleuOf } from './bleu.ts';
import { chrfCounts, chrfOf } from './chrf.ts';

/** The right text, or several, and the answer. */
export type ComparedTexts = readonly [right: string | readonly string[], answer: string];

interface CorpusMetric {
  readonly counts: (answer: string, references: readonly string[]) => readonly number[];
  readonly score: (counts: readonly number[]) => number;
}

const METRICS: Readonly<Record<string, CorpusMetric>> = {
  bleu: { counts: (answer, references) => bleuCounts(answer, references), score: bleuOf },
  chrf: { counts: (answer, references) => chrfCounts(answer, references), score: chrfOf },
  'chrf++': {
    counts: (answer, references) => chrfCounts(answer, references, { wordOrder: 2 }),
    score: chrfOf,
  },
};

/** Resamples of lm-evaluation-harness for these metrics, by the generator of seed 0. */
const RESAMPLES = 100;

/** Counts of texts that were compared before, by metric: resampling asks for them often. */
const known = new WeakMap<ComparedTexts, Map<string, readonly number[]>>();

/** Whether a metric is of a corpus. */
export function isCorpusMetric(metric: string): boolean {
  return Object.hasOwn(METRICS, metric);
}

/** The score, 0 to 100, with the bootstrap's standard error. */
export function corpusFigure(
  metric: string,
  texts: readonly ComparedTexts[],
): { readonly value: number; readonly stderr?: number } {
  const value = corpusValue(metric, texts);
  if (texts.length < 2) return { value };
  const random = new PythonRandom(0);
  const drawn = Array.from({ length: RESAMPLES }, () => {
    const places = random.choices(texts.length);
    return corpusValue(
      metric,
      places.map((at) => texts[at]!),
    );
  });
  const mean = drawn.reduce((sum, one) => sum + one, 0) / RESAMPLES;
  const squares = drawn.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return { value, stderr: Math.sqrt(squares / (RESAMPLES - 1)) };
}

/** The score of a corpus, 0 to 100. */
export function corpusValue(metric: string, texts: readonly ComparedTexts[]): number {
  const { score } = METRICS[metric]!;
  const sums: number[] = [];
  for (const one of texts) {
    for (const [at, count] of countsOf(metric, one).entries()) sums[at] = (sums[at] ?? 0) + count;
  }
  return score(sums);
}

function countsOf(metric: string, texts: ComparedTexts): readonly number[] {
  const own = known.get(texts) ?? new Map<string, readonly number[]>();
  known.set(texts, own);
  const [right, answer] = texts;
  const counts = own.get(metric) ?? METRICS[metric]!.counts(answer, [right].flat());
  own.set(metric, counts);
  return counts;
}
