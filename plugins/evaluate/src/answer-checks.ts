// The rows of ANSWER_CHECKS: how the answer is read out of a text and compared with the right one.
import type { AnswerCheck } from '@lmflow/sdk';
import { pythonRegex } from './python-regex.ts';
import { strip, words } from './python-text.ts';

const NUMBER = /-?(?:\d[\d,]*)?\.?\d+(?:[eE][+-]?\d+)?/g;
const INTRODUCED = /\banswer\b(?:\s+is)?\s*:?\s*\**\(?/i;
/** I is a word more often than an option. */
const LETTER_ALONE = /^\W*([A-HJ])(?:[).:,*\s]|$)/;
const LETTERS = /\(([A-J])\)|\b([B-HJ])\b|\b(A)\b(?!\s+[a-z])/g;
const DECISION = /\b(yes|no|maybe)\b/gi;

/** The number after `####` where a solution ends with one, else the last one. */
function lastNumber(text: string): string | undefined {
  const [, marked] = /####\s*(\S.*)/.exec(text) ?? [];
  const found = (marked ?? text).match(NUMBER)?.at(-1) ?? text.match(NUMBER)?.at(-1);
  return found?.replaceAll(',', '');
}

/** A letter at the beginning, behind "answer is", or the last one that stands alone. */
function letterOf(text: string): string | undefined {
  const introduced = text.split(INTRODUCED).slice(1).at(-1);
  const [, first] = LETTER_ALONE.exec(introduced ?? '') ?? LETTER_ALONE.exec(text) ?? [];
  // "A dog ..." is a sentence
  const isSentence = introduced === undefined && /^\s*A\s+[a-z]/.test(text);
  if (first !== undefined && !isSentence) return first;
  const last = [...text.matchAll(LETTERS)].at(-1);
  return last?.slice(1).find((letter) => letter !== undefined);
}

/** The first word where it is one of the three, else the one behind "answer is", else the last. */
function decisionOf(text: string): string | undefined {
  const [first] = words(text);
  const introduced = text.split(INTRODUCED).slice(1).at(-1);
  const found =
    first?.match(DECISION)?.[0] ?? introduced?.match(DECISION)?.[0] ?? text.match(DECISION)?.at(-1);
  return found?.toLowerCase();
}

/** Lower case, without punctuation, articles and more than one space. */
function normalized(text: string): string {
  const plain = text.toLowerCase().replace(/[\p{P}\p{S}]/gu, '');
  return words(plain.replace(/\b(?:a|an|the)\b/g, ' ')).join(' ');
}

const same = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && one === other;

/** What this plugin adds to the table. */
export const answerChecks: readonly AnswerCheck[] = [
  {
    name: 'number',
    description: 'the number behind ####, else the last one, as a number',
    extract: lastNumber,
    matches: (answer, right) => Number(answer) === Number(lastNumber(right) ?? NaN),
  },
  {
    name: 'letter',
    description: 'the letter of an option, A to J',
    extract: letterOf,
    matches: (answer, right) => same(answer, letterOf(right.toUpperCase())),
  },
  {
    name: 'yes-no-maybe',
    description: 'yes, no or maybe',
    extract: decisionOf,
    matches: (answer, right) => same(answer, decisionOf(right)),
  },
  {
    name: 'text',
    description: 'the text, but for case, punctuation and articles',
    extract: normalized,
    matches: (answer, right) => answer === normalized(right),
  },
  {
    name: 'exact',
    description: 'the text, but for spaces at its ends',
    extract: strip,
    matches: (answer, right) => answer === strip(right),
  },
  {
    name: 'regex',
    description: "any text in which the right answer, a regular expression of Python's, is found",
    extract: (text) => text,
    matches: (answer, right) => pythonRegex(right).test(answer),
  },
];
