// BLEU of a corpus (Papineni et al., 2002), as sacrebleu computes it: tokens of mteval-v13a, up to
// four of them, exponential smoothing.
import { rstrip, words } from '../python-text.ts';
import { countNgrams, overlap } from './ngrams.ts';

const ORDERS = [1, 2, 3, 4];

/** [tokens of the answer, of the closest reference, then matches and n-grams by order]. */
export type BleuCounts = readonly number[];

/** How texts become tokens: mteval's version 13a, or its international one, version 14. */
export type BleuTokens = '13a' | 'intl';

/** The counts of one answer against its references. */
export function bleuCounts(
  answer: string,
  references: readonly string[],
  tokens: BleuTokens = '13a',
): BleuCounts {
  const split = (text: string): string[] => words(TOKENIZERS[tokens](rstrip(text)));
  const own = split(answer);
  const others = references.map(split);
  const lengths = others.map(({ length }) => length);
  const distance = (length: number): number => Math.abs(own.length - length);
  const closest = lengths.reduce((best, length) =>
    distance(length) < distance(best) || (distance(length) === distance(best) && length < best)
      ? length
      : best,
  );
  const matches = ORDERS.map((order) => {
    const most = new Map<string, number>();
    for (const other of others) {
      for (const [ngram, count] of countNgrams(other, order)) {
        most.set(ngram, Math.max(count, most.get(ngram) ?? 0));
      }
    }
    return overlap(countNgrams(own, order), most);
  });
  const all = ORDERS.map((order) => Math.max(0, own.length - order + 1));
  return [own.length, closest, ...matches, ...all];
}

/** BLEU, 0 to 100, of counts that are summed over a corpus. */
export function bleuOf(counts: BleuCounts): number {
  const [length = 0, reference = 0] = counts;
  const matches = counts.slice(2, 2 + ORDERS.length);
  if (matches.every((count) => count === 0)) return 0;
  let [smoothing, sum] = [1, 0];
  for (const [at, match] of matches.entries()) {
    const all = counts[2 + ORDERS.length + at]!;
    // an order without any n-gram has a precision of 0
    if (all === 0) return 0;
    if (match === 0) smoothing *= 2;
    sum += Math.log((match === 0 ? 100 / smoothing : 100 * match) / all);
  }
  const brevity = length < reference ? Math.exp(1 - reference / length) : 1;
  return brevity * Math.exp(sum / ORDERS.length);
}

const TOKENIZERS: Readonly<Record<BleuTokens, (line: string) => string>> = {
  '13a': (line) => {
    const text = line
      .replaceAll('<skipped>', '')
      .replaceAll('-\n', '')
      .replaceAll('\n', ' ')
      .replaceAll('&quot;', '"')
      .replaceAll('&amp;', '&')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>');
    return ` ${text} `
      .replace(/([{-~[-` -&(-+:-@/])/g, ' $1 ')
      .replace(/([^0-9])([.,])/gu, '$1 $2 ')
      .replace(/([.,])([^0-9])/gu, ' $1 $2')
      .replace(/([0-9])(-)/g, '$1 $2 ');
  },
  intl: (line) =>
    line
      .replace(/(\P{N})(\p{P})/gu, '$1 $2 ')
      .replace(/(\p{P})(\P{N})/gu, ' $1 $2')
      .replace(/(\p{S})/gu, ' $1 '),
};
