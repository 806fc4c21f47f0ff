// Answers that are judged alone, as KTO takes them: TRL's prompt and completion, or a conversation,
// with a label that says whether the answer is a good one.
import type { ChatMessage, CheckedFields, DatasetFormat, RecordBody } from '@lmflow/sdk';
import { listWith } from './json-values.ts';
import { tools, withSystem } from './messages.ts';

/** Where the label may stand: TRL's key, LLaMA-Factory's. */
const LABELS = ['label', 'kto_tag'];

const YES_OR_NO: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  [false, false],
  [1, true],
  [0, false],
  ['true', true],
  ['false', false],
  ['True', true],
  ['False', false],
]);

function desirable(fields: CheckedFields): boolean {
  const key = LABELS.find((name) => fields.has(name)) ?? LABELS[0]!;
  return YES_OR_NO.get(fields.raw(key)) ?? fields.fail(key, 'true (a good answer) or false');
}

function fromConversation(fields: CheckedFields, messages: readonly ChatMessage[]): RecordBody {
  const last = messages.at(-1);
  if (last?.role !== 'assistant' || typeof last.content !== 'string') {
    const key = ['completion', 'messages', 'conversations'].find((name) => fields.has(name))!;
    return fields.fail(key, 'messages that end with an answer of the assistant in text', last);
  }
  const known = tools(fields);
  return {
    kind: 'unpaired',
    messages: messages.slice(0, -1),
    completion: last.content,
    desirable: desirable(fields),
    ...(known ? { tools: known } : {}),
  };
}

/** `{ prompt, completion, label }`, or a conversation with a label. */
export const unpairedFormat: DatasetFormat = {
  name: 'unpaired_preference',
  aliases: ['unpaired', 'kto'],
  kind: 'unpaired',
  example: '{ prompt, completion, label }',
  matches: (fields) =>
    LABELS.some((key) => typeof fields[key] === 'boolean') &&
    (('prompt' in fields && 'completion' in fields) ||
      listWith(fields['messages'], 'role', 'from') ||
      listWith(fields['conversations'], 'from', 'role')),
  parse: (fields) => {
    for (const key of ['messages', 'conversations']) {
      if (fields.has(key)) {
        return fromConversation(fields, withSystem(fields, fields.messages(key)));
      }
    }
    const [prompt, completion] = [fields.raw('prompt'), fields.raw('completion')];
    if (typeof prompt === 'string' && typeof completion === 'string') {
      return { kind: 'unpaired', prompt, completion, desirable: desirable(fields) };
    }
    return fromConversation(fields, [
      ...fields.messages('prompt'),
      ...fields.messages('completion'),
    ]);
  },
};
