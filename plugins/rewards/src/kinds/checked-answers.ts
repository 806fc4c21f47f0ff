// Rewards for right answers: a row of ANSWER_CHECKS compares what a text says with a column of the
// data.
import {
  defineReward,
  isRightAnswer,
  type AnswerCheck,
  type RewardFunction,
  type RewardKind,
  type Rows,
} from '@lmflow/sdk';
import { z } from 'zod';
import { lacking } from '../answers-error.ts';
import { rewardInvalid, unknownCheck } from '../errors.ts';

const options = z.object({
  column: z.string().min(1).default('answer').describe('The column with the right answer.'),
  optional: z
    .boolean()
    .default(false)
    .describe('Records without the column are no errors: the reward does not apply to them.'),
  boxed: z
    .boolean()
    .default(false)
    .describe('Read the answer in the last \\boxed{}; without one it is wrong.'),
  tag: z
    .string()
    .min(1)
    .optional()
    .describe('Read the answer between <tag> and </tag>; without them it is wrong.'),
});

const check = z.string().min(1).describe('How answers are read and compared: an answer check.');

type Options = z.output<typeof options>;

/** `answer` with any check, and two by the name of theirs. */
export function checkedAnswers(checks: () => Rows<AnswerCheck>): readonly RewardKind[] {
  const open = (given: Options, name: string, checkName: string): RewardFunction => {
    if (given.boxed && given.tag !== undefined) {
      throw rewardInvalid(name, 'boxed and tag say two places for the answer');
    }
    const row = checks().get(checkName);
    if (!row) throw unknownCheck(name, checkName, checks().names());
    return ({ completions, columns }) =>
      completions.map((text, index) =>
        valueOf(text, columns[given.column]?.[index], given, row, index),
      );
  };
  const fixed = (name: string, by: string, description: string): RewardKind =>
    defineReward({
      name,
      description,
      options,
      open: (given, opening) => open(given, opening.name, by),
    });
  return [
    defineReward({
      name: 'answer',
      description: '1 for a right answer by a check, else 0',
      options: options.extend({ check }),
      open: (given, opening) => open(given, opening.name, given.check),
    }),
    fixed('exactMatch', 'exact', '1 where the text is the right answer, else 0'),
    fixed('number', 'number', '1 where the last number is the right one, else 0'),
  ];
}

function valueOf(
  text: string,
  right: unknown,
  { column, optional, boxed, tag }: Options,
  row: AnswerCheck,
  index: number,
): number | null {
  if (right === undefined || right === null) {
    if (optional) return null;
    throw lacking(`a column "${column}" with the right answer`, index);
  }
  let place: string | undefined = text;
  if (boxed) place = lastBoxed(text);
  else if (tag !== undefined) place = lastTagged(text, tag);
  return place !== undefined && isRightAnswer(row, place, [right].flat().map(String)) ? 1 : 0;
}

/** What the last `\boxed{}` holds, with the braces inside it. */
function lastBoxed(text: string): string | undefined {
  const mark = '\\boxed{';
  const start = text.lastIndexOf(mark);
  if (start < 0) return undefined;
  let depth = 1;
  for (let at = start + mark.length; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return text.slice(start + mark.length, at);
  }
  return undefined;
}

function lastTagged(text: string, tag: string): string | undefined {
  const end = text.lastIndexOf(`</${tag}>`);
  const start = end < 0 ? -1 : text.lastIndexOf(`<${tag}>`, end);
  return start < 0 ? undefined : text.slice(start + tag.length + 2, end);
}
