// The table of trainable record formats with one answer: LMFlow's, Alpaca, ShareGPT, messages,
// prompt and completion.
import type { ChatMessage } from '@lmflow/sdk';
import { isFields, type Fields } from '../readers/reader.ts';
import { fromText, type CheckedFields, type Format, type RecordBody } from './format.ts';
import { messages, tools, withSystem } from './messages.ts';

const isText = (value: unknown): value is string => typeof value === 'string';

/** Whether a value is a list of objects that have `key`, also as JSON text. */
export function listWith(value: unknown, ...keys: readonly string[]): boolean {
  const list = fromText(value);
  return (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((item) => isFields(item) && keys.some((key) => key in item))
  );
}

const conversation = (fields: CheckedFields, key: string): RecordBody => {
  const list = withSystem(fields, messages(fields, key));
  const known = tools(fields);
  return { kind: 'conversation', messages: list, ...(known ? { tools: known } : {}) };
};

/**
 * The turns of an Alpaca record before its answer: system, history, and the instruction with its
 * input.
 */
export function alpacaTurns(fields: CheckedFields): ChatMessage[] {
  const instruction = fields.string('instruction');
  const input = fields.optionalString('input');
  const history = fields.has('history') ? fields.list('history', '[question, answer] pairs') : [];
  const turns = history.flatMap((pair, index) => {
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(isText)) {
      return fields.fail(`history[${index}]`, 'a pair [question, answer] of strings', pair);
    }
    return [
      { role: 'user', content: pair[0]! },
      { role: 'assistant', content: pair[1]! },
    ];
  });
  // the parts travel with the message, so that the alpaca template can print them apart
  const asked: ChatMessage = input
    ? { role: 'user', content: `${instruction}\n${input}`, instruction, input }
    : { role: 'user', content: instruction };
  return withSystem(fields, [...turns, asked]);
}

export const formats: readonly Format[] = [
  {
    name: 'sharegpt',
    kind: 'conversation',
    keys: ['conversations', 'system', 'tools'],
    example: '{ conversations: [{ from, value }] }',
    matches: (fields) => listWith(fields['conversations'], 'from', 'role'),
    parse: (fields) => conversation(fields, 'conversations'),
  },
  {
    name: 'conversation',
    aliases: ['messages', 'openai', 'chat'],
    kind: 'conversation',
    keys: ['messages', 'system', 'tools'],
    example: '{ messages: [{ role, content }] }',
    matches: (fields) => listWith(fields['messages'], 'role', 'from'),
    parse: (fields) => conversation(fields, 'messages'),
  },
  {
    name: 'alpaca',
    kind: 'conversation',
    keys: ['instruction', 'input', 'output', 'system', 'history'],
    example: '{ instruction, input?, output, system?, history? }',
    matches: (fields) => isText(fields['instruction']) && 'output' in fields,
    parse: (fields) => ({
      kind: 'conversation',
      messages: [...alpacaTurns(fields), { role: 'assistant', content: fields.string('output') }],
    }),
  },
  {
    name: 'prompt_completion',
    aliases: ['prompt-completion', 'completion'],
    kind: 'completion',
    keys: ['prompt', 'completion', 'tools'],
    example: '{ prompt, completion }',
    matches: (fields) => 'prompt' in fields && 'completion' in fields,
    parse: promptCompletion,
  },
  {
    name: 'text2text',
    kind: 'completion',
    keys: ['input', 'output'],
    example: '{ input, output }',
    matches: (fields) => isText(fields['input']) && isText(fields['output']),
    parse: (fields) => ({
      kind: 'completion',
      prompt: fields.string('input'),
      completion: fields.string('output'),
    }),
  },
  {
    name: 'text_only',
    aliases: ['text', 'pretrain'],
    kind: 'text',
    keys: ['text'],
    example: '{ text }',
    matches: (fields) => isText(fields['text']),
    parse: (fields) => ({ kind: 'text', text: fields.string('text') }),
  },
];

function promptCompletion(fields: CheckedFields): RecordBody {
  if (
    isText(fields.raw('prompt')) &&
    isText(fields.raw('completion')) &&
    !bothLists(fields.all())
  ) {
    return {
      kind: 'completion',
      prompt: fields.string('prompt'),
      completion: fields.string('completion'),
    };
  }
  if (isText(fields.raw('prompt')) !== isText(fields.raw('completion'))) {
    fields.fail(
      'completion',
      'a string where prompt is a string, a list of messages where prompt is one',
    );
  }
  const prompt = messages(fields, 'prompt').map((entry) =>
    entry.role === 'assistant' ? { ...entry, weight: 0 } : entry,
  );
  const known = tools(fields);
  return {
    kind: 'conversation',
    messages: [...prompt, ...messages(fields, 'completion')],
    ...(known ? { tools: known } : {}),
  };
}

const bothLists = (fields: Fields): boolean =>
  listWith(fields['prompt'], 'role', 'from') && listWith(fields['completion'], 'role', 'from');
