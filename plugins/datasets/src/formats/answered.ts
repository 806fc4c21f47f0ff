// The formats of records with one answer, which can be trained: LMFlow's, Alpaca, ShareGPT, messages,
// prompt and completion.
import type {
  ChatMessage,
  CheckedFields,
  DatasetFormat,
  RecordBody,
  RecordFields,
} from '@lmflow/sdk';
import { listWith } from './json-values.ts';
import { tools, withSystem } from './messages.ts';

const isText = (value: unknown): value is string => typeof value === 'string';

const conversation = (fields: CheckedFields, key: string): RecordBody => {
  const list = withSystem(fields, fields.messages(key));
  const known = tools(fields);
  return { kind: 'conversation', messages: list, ...(known ? { tools: known } : {}) };
};

/**
 * The turns of an Alpaca record before its answer: system, history, and the instruction with its
 * input.
 */
export function alpacaTurns(fields: CheckedFields): ChatMessage[] {
  const input = fields.optionalString('input');
  const instruction = fields.optionalString('instruction') ?? '';
  if (!input && !fields.has('instruction')) fields.fail('instruction', 'a string');
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
  const asked: ChatMessage =
    input && instruction
      ? { role: 'user', content: `${instruction}\n${input}`, instruction, input }
      : { role: 'user', content: input || instruction };
  return withSystem(fields, [...turns, asked]);
}

/** From the general to the special. */
export const answeredFormats: readonly DatasetFormat[] = [
  {
    name: 'text_only',
    aliases: ['text', 'pretrain'],
    kind: 'text',
    example: '{ text }',
    matches: (fields) => isText(fields['text']),
    parse: (fields) => ({ kind: 'text', text: fields.string('text') }),
  },
  {
    name: 'text2text',
    kind: 'completion',
    example: '{ input, output }',
    matches: (fields) => isText(fields['input']) && isText(fields['output']),
    parse: (fields) => ({
      kind: 'completion',
      prompt: fields.string('input'),
      completion: fields.string('output'),
    }),
  },
  {
    name: 'prompt_completion',
    aliases: ['prompt-completion', 'completion'],
    kind: 'completion',
    example: '{ prompt, completion }',
    matches: (fields) => 'prompt' in fields && 'completion' in fields,
    parse: promptCompletion,
  },
  {
    name: 'alpaca',
    kind: 'conversation',
    example: '{ instruction, input?, output, system?, history? }',
    matches: (fields) => isText(fields['instruction']) && 'output' in fields,
    parse: (fields) => ({
      kind: 'conversation',
      messages: [...alpacaTurns(fields), { role: 'assistant', content: fields.string('output') }],
    }),
  },
  {
    name: 'conversation',
    aliases: ['messages', 'openai', 'chat'],
    kind: 'conversation',
    example: '{ messages: [{ role, content }] }',
    matches: (fields) => listWith(fields['messages'], 'role', 'from'),
    parse: (fields) => conversation(fields, 'messages'),
  },
  {
    name: 'sharegpt',
    kind: 'conversation',
    example: '{ conversations: [{ from, value }] }',
    matches: (fields) => listWith(fields['conversations'], 'from', 'role'),
    parse: (fields) => conversation(fields, 'conversations'),
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
  const prompt = fields
    .messages('prompt')
    .map((entry) => (entry.role === 'assistant' ? { ...entry, weight: 0 } : entry));
  const known = tools(fields);
  return {
    kind: 'conversation',
    messages: [...prompt, ...fields.messages('completion')],
    ...(known ? { tools: known } : {}),
  };
}

const bothLists = (fields: RecordFields): boolean =>
  listWith(fields['prompt'], 'role', 'from') && listWith(fields['completion'], 'role', 'from');
