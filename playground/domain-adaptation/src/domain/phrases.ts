// The phrases that a text has, so that one can say which names occur in it.

/** As long as the longest names are. */
const LONGEST = 5;

/** Lower case, one space between words, hyphens are spaces. */
export function plain(text: string): string {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' ');
}

/** Every phrase of up to five words of a text, and what it may be the plural of. */
export function phrasesOf(text: string): Set<string> {
  const words = plain(text).split(' ');
  const found = new Set<string>();
  for (let start = 0; start < words.length; start++) {
    for (let end = start + 1; end <= Math.min(start + LONGEST, words.length); end++) {
      for (const form of singulars(words.slice(start, end).join(' '))) found.add(form);
    }
  }
  return found;
}

/** A phrase and what it may be the plural of: tumors, biopsies, diagnoses, carcinomata. */
function singulars(phrase: string): string[] {
  return [
    phrase,
    phrase.replace(/s$/, ''),
    phrase.replace(/es$/, ''),
    phrase.replace(/es$/, 'is'),
    phrase.replace(/ies$/, 'y'),
    phrase.replace(/ata$/, 'a'),
    phrase.replace(/ides$/, 'is'),
    phrase.replace(/i$/, 'us'),
  ];
}
