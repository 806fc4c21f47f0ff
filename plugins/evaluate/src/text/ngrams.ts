// Counts of n-grams, which BLEU, chrF and ROUGE compare.

/** How often each n-gram of some items is there; items have no line breaks. */
export function countNgrams(items: readonly string[], order: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + order <= items.length; at++) {
    const ngram = items.slice(at, at + order).join('\n');
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

/** How many n-grams both have. */
export function overlap(
  one: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
): number {
  let sum = 0;
  for (const [ngram, count] of one) sum += Math.min(count, other.get(ngram) ?? 0);
  return sum;
}

/** The number of all n-grams. */
export function total(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
