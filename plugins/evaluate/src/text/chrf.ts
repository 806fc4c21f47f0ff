// chrF (Popović, 2015) and chrF++ of a corpus, as sacrebleu computes them: up to six characters and
// two words, recall counting twice as much as precision.
import { words } from '../python-text.ts';
import { countNgrams, overlap, total } from './ngrams.ts';

const CHARACTERS = 6;
const BETA = 2;
const PUNCTUATION = /^[!-/:-@[-`{-~]$/;

/** For each order: n-grams of the answer, of the reference, of both. */
export type ChrfCounts = readonly number[];

/** The counts of one answer against that of its references which it is closest to. */
export function chrfCounts(
  answer: string,
  references: readonly string[],
  { wordOrder = 0 }: { readonly wordOrder?: number } = {},
): ChrfCounts {
  const own = ngramsOf(answer, wordOrder);
  let best: { readonly counts: ChrfCounts; readonly score: number } | undefined;
  for (const reference of references) {
    const other = ngramsOf(reference, wordOrder);
    const counts = own.flatMap((ngrams, at) => {
      const right = other[at]!;
      return [right.size > 0 ? total(ngrams) : 0, total(right), overlap(ngrams, right)];
    });
    const score = chrfOf(counts);
    if (!best || score > best.score) best = { counts, score };
  }
  return best!.counts;
}

/** chrF, 0 to 100, of counts that are summed over a corpus. */
export function chrfOf(counts: ChrfCounts): number {
  let [precision, recall, orders] = [0, 0, 0];
  for (let at = 0; at < counts.length; at += 3) {
    const [own, other, both] = counts.slice(at, at + 3) as [number, number, number];
    if (own === 0 || other === 0) continue;
    precision += both / own;
    recall += both / other;
    orders++;
  }
  if (precision + recall === 0) return 0;
  precision /= orders;
  recall /= orders;
  const factor = BETA ** 2;
  return (100 * (1 + factor) * precision * recall) / (factor * precision + recall);
}

function ngramsOf(text: string, wordOrder: number): Map<string, number>[] {
  const found = words(text);
  const characters = [...found.join('')];
  const parts = found.flatMap(withoutPunctuation);
  return [
    ...Array.from({ length: CHARACTERS }, (_, at) => countNgrams(characters, at + 1)),
    ...Array.from({ length: wordOrder }, (_, at) => countNgrams(parts, at + 1)),
  ];
}

/** A mark at the end, else at the beginning of a word becomes a word. */
function withoutPunctuation(word: string): string[] {
  const characters = [...word];
  const [first = '', last = ''] = [characters[0], characters.at(-1)];
  if (characters.length === 1) return [word];
  if (PUNCTUATION.test(last)) return [characters.slice(0, -1).join(''), last];
  return PUNCTUATION.test(first) ? [first, characters.slice(1).join('')] : [word];
}
