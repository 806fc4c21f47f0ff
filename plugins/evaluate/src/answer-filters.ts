// What a task makes of the texts that a model wrote before they are compared: filters in a row, with
// the names and arguments of lm-evaluation-harness. A row of filters is one reading of the answers.
import { z } from 'zod';
import { findAll, pythonRegex, regexSource } from './python-regex.ts';
import { strip } from './python-text.ts';

/** A filter with its arguments. */
export const answerFilter = z.discriminatedUnion('function', [
  z.strictObject({
    function: z.literal('regex'),
    regexPattern: regexSource.default('#### (\\-?[0-9\\.\\,]+)'),
    /** Which of the matches; -1 is the last. */
    groupSelect: z.int().default(0),
    fallback: z.string().default('[invalid]'),
  }),
  /** Tags of `('word', 'TAG')` pairs. */
  z.strictObject({
    function: z.literal('regex_pos'),
    fallback: z.array(z.string()).default(['invalid']),
  }),
  z.strictObject({ function: z.literal('remove_whitespace') }),
  z.strictObject({ function: z.literal('lowercase') }),
  z.strictObject({ function: z.literal('uppercase') }),
  z.strictObject({
    function: z.literal('map'),
    mappingDict: z.record(z.string(), z.unknown()),
    defaultValue: z.unknown().optional(),
  }),
  z.strictObject({ function: z.literal('take_first') }),
  z.strictObject({ function: z.literal('take_first_k'), k: z.int().min(1) }),
  z.strictObject({ function: z.literal('majority_vote') }),
]);
export type AnswerFilter = z.output<typeof answerFilter>;

/** One reading of the answers: its name stands in the results. */
export const answerReading = z.strictObject({
  name: z.string().regex(/^[^,\s]+$/, 'is a name without spaces and commas'),
  filter: z.array(answerFilter).min(1),
});

/** The texts of one record behind all filters: a value where one is taken, else a list. */
export function readAnswers(texts: readonly string[], filters: readonly AnswerFilter[]): unknown {
  return filters.reduce<unknown>(
    (value, filter) => apply(filter, Array.isArray(value) ? value : [value]),
    texts,
  );
}

function apply(filter: AnswerFilter, values: readonly unknown[]): unknown {
  const each = (change: (text: string) => unknown): unknown[] =>
    values.map((value) => change(typeof value === 'string' ? value : ''));
  switch (filter.function) {
    case 'regex':
      return each((text) => selected(text, filter));
    case 'regex_pos':
      return each((text) => {
        const tags = findAll(pythonRegex("\\('([^']*)', '([^']*)'\\)"), text).map(([, tag]) => tag);
        return tags.length > 0 ? tags : filter.fallback;
      });
    case 'remove_whitespace':
      return each(strip);
    case 'lowercase':
      return each((text) => text.toLowerCase());
    case 'uppercase':
      return each((text) => text.toUpperCase());
    case 'map':
      return each((text) =>
        Object.hasOwn(filter.mappingDict, text)
          ? filter.mappingDict[text]
          : (filter.defaultValue ?? null),
      );
    case 'take_first':
      return values[0];
    case 'take_first_k':
      return values.slice(0, filter.k);
    case 'majority_vote':
      return [mostFrequent(values)];
  }
}

/** The match of a regular expression that is asked for, or its first group that is not empty. */
function selected(
  text: string,
  { regexPattern, groupSelect, fallback }: Extract<AnswerFilter, { function: 'regex' }>,
): string {
  const match = findAll(pythonRegex(regexPattern), text).at(groupSelect);
  if (match === undefined) return fallback;
  return strip(typeof match === 'string' ? match : (match.find((one) => one !== '') ?? fallback));
}

/** The first of those that are there most often. */
function mostFrequent(values: readonly unknown[]): unknown {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return [...counts].find(([, count]) => count === most)![0];
}
