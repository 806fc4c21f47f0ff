// The words of a text as corpus statistics count them: NLTK's word_tokenize with a sentence splitter
// that knows no abbreviations, in lower case. No model's tokens.

/** A replacement for all places that fit. */
type Rule = readonly [pattern: RegExp, by: string];

const OPENING: readonly Rule[] = [
  [/([«“‘„]|`+)/g, ' $1 '],
  [/^"/, '``'],
  [/``/g, ' `` '],
  [/([ ([{<])("|'')/g, '$1 `` '],
  // an apostrophe that begins a word and no clitic
  [/(?<![\p{L}\p{N}_])'(?!(?:re|ve|ll|m|t|s|d|n)(?![\p{L}\p{N}_]))(?=[\p{L}\p{N}_])/giu, "' "],
];

const PUNCTUATION: readonly Rule[] = [
  [/([^.])(\.)([\])}>"'»”’ ]*)\s*$/, '$1 $2 $3 '],
  [/([:,])(\P{Nd})/gu, ' $1 $2'],
  [/([:,])$/, ' $1 '],
  [/\.{2,}/g, ' $& '],
  [/[;@#$%&]/g, ' $& '],
  [/[\u2012-\u2015]/g, ' $& '],
  [/[?!]/g, ' $& '],
  [/([^'])' /g, "$1 ' "],
  [/\*/g, ' * '],
  [/[\][(){}<>]/g, ' $& '],
  [/--/g, ' -- '],
];

const CLOSING: readonly Rule[] = [
  [/[»”’]/g, ' $& '],
  [/''|"/g, " '' "],
  [/\s+/g, ' '],
  [/([^' ])('[smd]|') /gi, '$1 $2 '],
  [/([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) /g, '$1 $2 '],
];

/** Two words that are written as one. */
const JOINED =
  /(?<![\p{L}\p{N}_])(?:(can)(not)|(d)('ye)|(gim)(me)|(gon)(na)|(got)(ta)|(lem)(me)|(more)('n)|(wan)(na(?=\s)))(?![\p{L}\p{N}_])/giu;
const TWAS = / ('t)(is|was)(?![\p{L}\p{N}_])/giu;

/** Words, numbers and punctuation in lower case; `didn't` is `did`, `n't`. */
export function wordTokens(text: string): string[] {
  return sentencesOf(text).flatMap((sentence) => {
    const opened = applied(applied(sentence, OPENING), PUNCTUATION);
    return applied(` ${opened} `, CLOSING)
      .replace(JOINED, (_, ...groups: unknown[]) => {
        const parts = groups.slice(0, 16).filter((part) => typeof part === 'string');
        return ` ${parts.join(' ')} `;
      })
      .replace(TWAS, ' $1 $2 ')
      .toLowerCase()
      .split(/\s+/)
      .filter((token) => token !== '');
  });
}

function applied(text: string, rules: readonly Rule[]): string {
  return rules.reduce((so, [pattern, by]) => so.replace(pattern, by), text);
}

/** A sentence ends with `.`, `?` or `!` and what closes it, before a space; not with dots. */
function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  let from = 0;
  for (const match of text.matchAll(/[.?!](["')\]}‘’“”«»]*)\s+(?=(\S))/gu)) {
    const word = /\S*$/.exec(text.slice(from, match.index + 1))![0];
    if (word.endsWith('..') || goesOn(word, match[2]!)) continue;
    const end = match.index + 1 + match[1]!.length;
    sentences.push(text.slice(from, end));
    from = match.index + match[0].length;
  }
  return [...sentences, text.slice(from)];
}

/** Whether a sentence goes on after a letter of a name, or a number and a small letter. */
function goesOn(word: string, next: string): boolean {
  const isNumber = /^-?[.,]?\p{Nd}[\p{Nd},.-]*\.$/u.test(word);
  return isNumber ? /\p{Ll}/u.test(next) : /^\p{L}\.$/u.test(word) && /\p{L}/u.test(next);
}
