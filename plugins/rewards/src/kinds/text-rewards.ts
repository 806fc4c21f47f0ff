// Rewards that a text alone decides: what it contains, its form, its length, its end, what it repeats.
import { defineReward, type RewardInput, type RewardKind } from '@lmflow/sdk';
import { z } from 'zod';
import { lacking } from '../answers-error.ts';
import { rewardInvalid } from '../errors.ts';

const UNITS = ['words', 'characters', 'tokens'] as const;

const contains = defineReward({
  name: 'contains',
  description: '1 where one of some texts occurs, else 0',
  options: z.object({
    texts: z.array(z.string().min(1)).nonempty().describe('Texts of which one must occur.'),
    ignoreCase: z.boolean().default(false).describe('Take upper and lower case as the same.'),
  }),
  open: ({ texts, ignoreCase }) => {
    const plain = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
    const wanted = texts.map(plain);
    return ({ completions }) =>
      completions.map((text) => Number(wanted.some((one) => plain(text).includes(one))));
  },
});

const regex = defineReward({
  name: 'regex',
  description: '1 where a regular expression is found, else 0',
  options: z.object({
    pattern: z.string().min(1).describe("The regular expression, in JavaScript's syntax."),
    flags: z
      .string()
      .regex(/^[imsuv]*$/, 'must be letters of imsuv')
      .default('')
      .describe('Its flags: i, m, s, u, v.'),
  }),
  open: ({ pattern, flags }, { name }) => {
    let expression: RegExp;
    try {
      expression = new RegExp(pattern, flags);
    } catch (cause) {
      throw rewardInvalid(name, `pattern: ${(cause as Error).message}`);
    }
    return ({ completions }) => completions.map((text) => Number(expression.test(text)));
  },
});

const format = defineReward({
  name: 'format',
  description: '1 where the text begins with given tags, each once and closed, else 0',
  options: z.object({
    tags: z
      .array(z.string().regex(/^[\w-]+$/, 'must be a name without brackets'))
      .nonempty()
      .default(['think'])
      .describe('<a>...</a><b>...</b>, with nothing but spaces between; any text may follow.'),
  }),
  open: ({ tags }) => {
    const parts = tags.map((tag) => `<${tag}>((?!<${tag}>)[^])*?</${tag}>`);
    const expression = new RegExp(`^${parts.join('\\s*')}`);
    return ({ completions }) =>
      completions.map((text) => {
        const once = tags.every((tag) => text.split(`<${tag}>`).length === 2);
        return Number(once && expression.test(text));
      });
  },
});

const length = defineReward({
  name: 'length',
  description: 'minus the distance from a length, as a share of it; or the length in parts',
  options: z.object({
    target: z.number().positive().optional().describe('Best length: -|length - target| / target.'),
    per: z.number().positive().optional().describe('length / per, to be weighed either way.'),
    unit: z.enum(UNITS).default('words').describe('What is counted.'),
  }),
  open: ({ target, per, unit }, { name }) => {
    if ((target === undefined) === (per === undefined)) {
      throw rewardInvalid(name, 'needs target or per, and not both');
    }
    return (input) =>
      lengthsOf(input, unit).map((count) =>
        target === undefined ? count / per! : -Math.abs(count - target) / target,
      );
  },
});

const overlong = defineReward({
  name: 'overlong',
  description: '0 up to a length, then down to -1 (DAPO, arXiv 2503.14476)',
  options: z.object({
    maxLength: z.int().positive().describe('Tokens from which on it is -1.'),
    buffer: z.int().positive().describe('Tokens before it over which it falls from 0.'),
  }),
  open: ({ maxLength, buffer }, { name }) => {
    if (buffer > maxLength) throw rewardInvalid(name, 'buffer: must be at most maxLength');
    return (input) =>
      lengthsOf(input, 'tokens').map((count) => {
        if (count > maxLength) return -1;
        return Math.min(0, (maxLength - buffer - count) / buffer);
      });
  },
});

const ends = defineReward({
  name: 'ends',
  description: '1 where the answer ended by itself, 0 where it was cut',
  open:
    () =>
    ({ ended }) =>
      ended.map((value, index) => {
        if (value === undefined) throw lacking('to know whether the answer ended', index);
        return Number(value);
      }),
});

const repetition = defineReward({
  name: 'repetition',
  description: 'minus the share of n-grams of words that occurred before in the text',
  options: z.object({
    ngram: z.int().positive().default(3).describe('Words of an n-gram.'),
  }),
  open:
    ({ ngram }) =>
    ({ completions }) =>
      completions.map((text) => -repeatedShare(wordsOf(text.toLowerCase()), ngram)),
});

/** What this plugin brings of them. */
export const textRewards: readonly RewardKind[] = [
  contains,
  regex,
  format,
  length,
  overlong,
  ends,
  repetition,
];

function wordsOf(text: string): string[] {
  return text.match(/\S+/g) ?? [];
}

function lengthsOf(
  { completions, completionIds }: RewardInput,
  unit: (typeof UNITS)[number],
): number[] {
  return completions.map((text, index) => {
    if (unit === 'words') return wordsOf(text).length;
    if (unit === 'characters') return [...text].length;
    const ids = completionIds[index];
    if (!ids) throw lacking('the tokens of the answer', index);
    return ids.length;
  });
}

function repeatedShare(words: readonly string[], ngram: number): number {
  const count = words.length - ngram + 1;
  if (count < 2) return 0;
  const seen = new Set<string>();
  for (let at = 0; at < count; at++) seen.add(words.slice(at, at + ngram).join(' '));
  return (count - seen.size) / count;
}
