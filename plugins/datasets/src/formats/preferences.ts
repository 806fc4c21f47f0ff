// The formats of answers that are compared: LMFlow's, TRL's, Alpaca's and ShareGPT's pairs, and
// answers that are judged alone. Finetuning refuses them; preference methods read them.
import { isDeepStrictEqual } from 'node:util';
import {
  isFields,
  type AnswerPrompt,
  type ChatMessage,
  type CheckedFields,
  type DatasetFormat,
  type RecordBody,
  type RecordFields,
} from '@lmflow/sdk';
import { alpacaTurns } from './answered.ts';
import { fromText, listWith } from './json-values.ts';
import { message, tools, withSystem } from './messages.ts';
import { unpairedFormat } from './unpaired.ts';

const both = (fields: RecordFields): boolean => 'chosen' in fields && 'rejected' in fields;
const isText = (value: unknown): value is string =>
  typeof value === 'string' && !listWith(value, 'role', 'from');
const isList = (value: unknown): boolean => Array.isArray(fromText(value));
const bothTexts = (fields: RecordFields): boolean =>
  isText(fields['chosen']) && isText(fields['rejected']);

function margin(fields: CheckedFields): { margin?: number } {
  const value = fields.optionalNumber('margin');
  return value === undefined ? {} : { margin: value };
}

function pair(
  fields: CheckedFields,
  prompt: AnswerPrompt,
  answers: { readonly chosen: string; readonly rejected: string },
): RecordBody {
  const known = prompt.messages ? tools(fields) : undefined;
  return {
    kind: 'preference',
    ...prompt,
    ...answers,
    ...margin(fields),
    ...(known ? { tools: known } : {}),
  };
}

/** An answer as text, as a message, or as the last message of a list. */
function answer(fields: CheckedFields, key: string): string {
  const value = fields.raw(key);
  if (typeof value === 'string') return value;
  const last = isFields(value)
    ? message(fields.object(key, 'a message'))
    : fields.messages(key).at(-1)!;
  return last.role === 'assistant' && typeof last.content === 'string'
    ? last.content
    : fields.fail(key, 'an answer of the assistant in text', last);
}

const answers = (fields: CheckedFields): { chosen: string; rejected: string } => ({
  chosen: answer(fields, 'chosen'),
  rejected: answer(fields, 'rejected'),
});

const sameTurns = (one: readonly ChatMessage[], other: readonly ChatMessage[]): boolean =>
  one.length === other.length &&
  one.every(
    (turn, index) =>
      turn.role === other[index]!.role && isDeepStrictEqual(turn.content, other[index]!.content),
  );

/** Two whole conversations: what they share, and the last answers. */
function fromConversations(
  fields: CheckedFields,
  chosen: readonly ChatMessage[],
  rejected: readonly ChatMessage[],
): RecordBody {
  const last = (list: readonly ChatMessage[], key: string): string => {
    const answer = list.at(-1);
    return answer?.role === 'assistant' && typeof answer.content === 'string'
      ? answer.content
      : fields.fail(key, 'a conversation that ends with an answer of the assistant in text');
  };
  const messages = chosen.slice(0, -1);
  if (!sameTurns(messages, rejected.slice(0, -1))) {
    fields.fail('rejected', 'the same conversation as chosen up to the last answer');
  }
  return pair(
    fields,
    { messages },
    { chosen: last(chosen, 'chosen'), rejected: last(rejected, 'rejected') },
  );
}

/** Two whole texts: the prompt is what they begin with, less a space before they part (TRL). */
function fromTexts(
  fields: CheckedFields,
  { chosen, rejected }: { readonly chosen: string; readonly rejected: string },
): RecordBody {
  const shorter = Math.min(chosen.length, rejected.length);
  let end = 0;
  while (end < shorter && chosen[end] === rejected[end]) end++;
  // of a text that the other one begins with a character is left
  if (end === shorter) end = Math.max(0, shorter - 1);
  else if (end > 0 && chosen[end - 1] === ' ') end--;
  // not between the halves of a character
  const code = chosen.charCodeAt(end - 1);
  if (code >= 0xd800 && code < 0xdc00) end--;
  return pair(
    fields,
    { prompt: chosen.slice(0, end) },
    { chosen: chosen.slice(end), rejected: rejected.slice(end) },
  );
}

/** TRL's records with a prompt: text is put together as it is, messages go through the template. */
function withPrompt(fields: CheckedFields): RecordBody {
  const prompt = fields.raw('prompt');
  const sides = [fields.raw('chosen'), fields.raw('rejected')];
  if (isText(prompt)) {
    if (sides.every(isText)) return pair(fields, { prompt }, answers(fields));
    const whole = sides.every(isList) && fields.messages('chosen').length > 1;
    return whole
      ? fromConversations(fields, fields.messages('chosen'), fields.messages('rejected'))
      : pair(fields, { messages: [user(prompt)] }, answers(fields));
  }
  const shared = fields.messages('prompt');
  if (!sides.every(isList)) return pair(fields, { messages: shared }, answers(fields));
  const [chosen, rejected] = ['chosen', 'rejected'].map((key) => {
    const list = fields.messages(key);
    return sameTurns(list.slice(0, shared.length), shared) ? list : [...shared, ...list];
  }) as [ChatMessage[], ChatMessage[]];
  return fromConversations(fields, chosen, rejected);
}

const user = (content: string): ChatMessage => ({ role: 'user', content });

/** From the general to the special. */
export const preferenceFormats: readonly DatasetFormat[] = [
  {
    name: 'text_to_scored_textlist',
    version: '2',
    kind: 'preference',
    example: '{ input, output: [{ score, text }] }',
    matches: (fields) => 'input' in fields && listWith(fields['output'], 'score'),
    parse: (fields) => {
      const scored = fields.objects('output', '{ score, text }').map((entry) => ({
        text: entry.string('text'),
        score: entry.optionalNumber('score') ?? entry.fail('score', 'a number'),
      }));
      if (scored.length < 2) fields.fail('output', 'a list with at least two scored answers');
      const sorted = scored.toSorted((a, b) => b.score - a.score);
      const input = fields.raw('input');
      const prompt = isText(input) ? { prompt: input } : { messages: fields.messages('input') };
      return {
        kind: 'preference',
        ...prompt,
        chosen: sorted[0]!.text,
        rejected: sorted.at(-1)!.text,
        scored,
      };
    },
  },
  {
    name: 'positive_negative',
    aliases: ['hh_rlhf'],
    kind: 'preference',
    example: '{ positive, negative }',
    matches: (fields) => isText(fields['positive']) && isText(fields['negative']),
    parse: (fields) =>
      fromTexts(fields, {
        chosen: fields.string('positive'),
        rejected: fields.string('negative'),
      }),
  },
  {
    name: 'preference',
    version: '2',
    aliases: ['paired_text_to_text', 'paired_text2text'],
    kind: 'preference',
    example: '{ prompt?, chosen, rejected, margin? }',
    matches: (fields) =>
      both(fields) &&
      ('prompt' in fields || bothTexts(fields) || listWith(fields['chosen'], 'role', 'from')),
    parse: (fields) => {
      if (fields.has('prompt')) return withPrompt(fields);
      return bothTexts(fields.all())
        ? fromTexts(fields, answers(fields))
        : fromConversations(fields, fields.messages('chosen'), fields.messages('rejected'));
    },
  },
  {
    name: 'alpaca_preference',
    kind: 'preference',
    example: '{ instruction, input?, chosen, rejected }',
    matches: (fields) => both(fields) && typeof fields['instruction'] === 'string',
    parse: (fields) => pair(fields, { messages: alpacaTurns(fields) }, answers(fields)),
  },
  {
    name: 'sharegpt_preference',
    kind: 'preference',
    example:
      '{ conversations: [{ from, value }], chosen: { from, value }, rejected: { from, value } }',
    matches: (fields) => both(fields) && 'conversations' in fields,
    parse: (fields) => {
      const messages = withSystem(fields, fields.messages('conversations'));
      return pair(fields, { messages }, answers(fields));
    },
  },
  {
    name: 'paired_conversation',
    kind: 'preference',
    example: '{ chosen: { messages }, rejected: { messages } }',
    matches: (fields) =>
      [fields['chosen'], fields['rejected']].every((side) => isFields(side) && 'messages' in side),
    parse: (fields) => {
      const side = (key: string): ChatMessage[] => {
        const inner = fields.object(key, 'a conversation { messages }');
        return withSystem(inner, inner.messages('messages'));
      };
      return fromConversations(fields, side('chosen'), side('rejected'));
    },
  },
  unpairedFormat,
];
