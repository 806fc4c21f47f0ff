// The formats of paired answers: LMFlow's, TRL's, Alpaca's and ShareGPT's. Finetuning refuses them;
// preference methods read them.
import { isDeepStrictEqual } from 'node:util';
import {
  isFields,
  type ChatMessage,
  type CheckedFields,
  type DatasetFormat,
  type RecordBody,
  type RecordFields,
} from '@lmflow/sdk';
import { alpacaTurns } from './answered.ts';
import { listWith } from './json-values.ts';
import { message, withSystem } from './messages.ts';

const both = (fields: RecordFields): boolean => 'chosen' in fields && 'rejected' in fields;
const user = (content: string): ChatMessage => ({ role: 'user', content });

function margin(fields: CheckedFields): { margin?: number } {
  const value = fields.optionalNumber('margin');
  return value === undefined ? {} : { margin: value };
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

/** Two whole conversations: what they share, and the last answers. */
function fromConversations(
  fields: CheckedFields,
  chosen: ChatMessage[],
  rejected: ChatMessage[],
  shared: ChatMessage[] = [],
): RecordBody {
  const last = (list: ChatMessage[], key: string): string => {
    const answer = list.at(-1);
    return answer?.role === 'assistant' && typeof answer.content === 'string'
      ? answer.content
      : fields.fail(key, 'a conversation that ends with an answer of the assistant in text');
  };
  const prefix = chosen.slice(0, -1);
  const same =
    prefix.length === rejected.length - 1 &&
    prefix.every(
      (turn, index) =>
        turn.role === rejected[index]!.role &&
        isDeepStrictEqual(turn.content, rejected[index]!.content),
    );
  if (!same) fields.fail('rejected', 'the same conversation as chosen up to the last answer');
  return {
    kind: 'preference',
    messages: [...shared, ...prefix],
    chosen: last(chosen, 'chosen'),
    rejected: last(rejected, 'rejected'),
    ...margin(fields),
  };
}

/** From the general to the special. */
export const preferenceFormats: readonly DatasetFormat[] = [
  {
    name: 'text_to_scored_textlist',
    kind: 'preference',
    example: '{ input, output: [{ score, text }] }',
    matches: (fields) => typeof fields['input'] === 'string' && listWith(fields['output'], 'score'),
    parse: (fields) => {
      const scored = fields.objects('output', '{ score, text }').map((entry) => ({
        text: entry.string('text'),
        score: entry.optionalNumber('score') ?? entry.fail('score', 'a number'),
      }));
      if (scored.length < 2) fields.fail('output', 'a list with at least two scored answers');
      scored.sort((a, b) => b.score - a.score);
      const [best, worst] = [scored[0]!, scored.at(-1)!];
      return {
        kind: 'preference',
        messages: [user(fields.string('input'))],
        chosen: best.text,
        rejected: worst.text,
        margin: best.score - worst.score,
      };
    },
  },
  {
    name: 'preference',
    aliases: ['paired_text_to_text', 'paired_text2text'],
    kind: 'preference',
    example: '{ prompt, chosen, rejected, margin? }',
    matches: (fields) =>
      both(fields) && ('prompt' in fields || listWith(fields['chosen'], 'role', 'from')),
    parse: (fields) => {
      if (!fields.has('prompt')) {
        return fromConversations(fields, fields.messages('chosen'), fields.messages('rejected'));
      }
      const prompt = fields.raw('prompt');
      const shared =
        typeof prompt === 'string' && !listWith(prompt, 'role', 'from')
          ? [user(prompt)]
          : fields.messages('prompt');
      return {
        kind: 'preference',
        messages: shared,
        chosen: answer(fields, 'chosen'),
        rejected: answer(fields, 'rejected'),
        ...margin(fields),
      };
    },
  },
  {
    name: 'alpaca_preference',
    kind: 'preference',
    example: '{ instruction, input?, chosen, rejected }',
    matches: (fields) => both(fields) && typeof fields['instruction'] === 'string',
    parse: (fields) => ({
      kind: 'preference',
      messages: alpacaTurns(fields),
      chosen: answer(fields, 'chosen'),
      rejected: answer(fields, 'rejected'),
      ...margin(fields),
    }),
  },
  {
    name: 'sharegpt_preference',
    kind: 'preference',
    example:
      '{ conversations: [{ from, value }], chosen: { from, value }, rejected: { from, value } }',
    matches: (fields) => both(fields) && 'conversations' in fields,
    parse: (fields) => ({
      kind: 'preference',
      messages: withSystem(fields, fields.messages('conversations')),
      chosen: answer(fields, 'chosen'),
      rejected: answer(fields, 'rejected'),
      ...margin(fields),
    }),
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
];
