// ROUGE (Lin, 2004) of an answer: F1 of the words, pairs of words, or the longest common subsequence,
// as the library rouge-score computes it.
import { countNgrams, overlap, total } from './ngrams.ts';
import { porterStem } from './porter-stemmer.ts';

/** What is counted; `rougeLsum` is rougeL over the lines of a summary, joined. */
export type RougeType = 'rouge1' | 'rouge2' | 'rougeL' | 'rougeLsum';

/** F1, 0 to 1. */
export function rouge(
  type: RougeType,
  reference: string,
  answer: string,
  { stemmer = false }: { readonly stemmer?: boolean } = {},
): number {
  const split = (text: string): string[] => tokensOf(text, stemmer);
  switch (type) {
    case 'rouge1':
    case 'rouge2': {
      const order = type === 'rouge1' ? 1 : 2;
      const [right, own] = [reference, answer].map((text) => countNgrams(split(text), order));
      return f1(overlap(right!, own!), total(right!), total(own!));
    }
    case 'rougeL': {
      const [right, own] = [split(reference), split(answer)];
      return f1(longestCommon(right, own).length, right.length, own.length);
    }
    case 'rougeLsum':
      return summaryF1(linesOf(reference).map(split), linesOf(answer).map(split));
  }
}

function tokensOf(text: string, stemmer: boolean): string[] {
  const found = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .split(/\s+/)
    .map((word) => (stemmer && word.length > 3 ? porterStem(word) : word));
  return found.filter((word) => /^[a-z0-9]+$/.test(word));
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function f1(both: number, reference: number, answer: number): number {
  if (both === 0) return 0;
  const [precision, recall] = [both / answer, both / reference];
  return (2 * precision * recall) / (precision + recall);
}

/**
 * The words of each line of the reference that are in a longest common subsequence with a line of
 * the answer; each word counts as often as both texts have it.
 */
function summaryF1(reference: readonly string[][], answer: readonly string[][]): number {
  const [right, own] = [reference, answer].map((lines) => countNgrams(lines.flat(), 1));
  const sizes = [right!, own!].map(total);
  let both = 0;
  for (const line of reference) {
    const places = new Set(answer.flatMap((other) => longestCommon(line, other)));
    for (const at of [...places].sort((one, other) => one - other)) {
      const word = line[at]!;
      const left = [right!.get(word) ?? 0, own!.get(word) ?? 0] as const;
      if (left[0] === 0 || left[1] === 0) continue;
      both++;
      right!.set(word, left[0] - 1);
      own!.set(word, left[1] - 1);
    }
  }
  return f1(both, sizes[0]!, sizes[1]!);
}

/** Places in `one` of a longest common subsequence. */
function longestCommon(one: readonly string[], other: readonly string[]): number[] {
  const width = other.length + 1;
  const lengths = new Uint32Array((one.length + 1) * width);
  for (let i = 1; i <= one.length; i++) {
    for (let j = 1; j <= other.length; j++) {
      lengths[i * width + j] =
        one[i - 1] === other[j - 1]
          ? lengths[(i - 1) * width + j - 1]! + 1
          : Math.max(lengths[(i - 1) * width + j]!, lengths[i * width + j - 1]!);
    }
  }
  const places: number[] = [];
  for (let [i, j] = [one.length, other.length]; i > 0 && j > 0;) {
    if (one[i - 1] === other[j - 1]) {
      places.unshift(i - 1);
      i--;
      j--;
    } else if (lengths[i * width + j - 1]! > lengths[(i - 1) * width + j]!) j--;
    else i--;
  }
  return places;
}
