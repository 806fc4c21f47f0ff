// Lists of chat messages as the formats have them -> ChatMessage[]: roles under one name, content
// as text, tools as objects.
import {
  isFields,
  isTextPart,
  textOf,
  toolArguments,
  type ChatMessage,
  type CheckedFields,
  type ContentPart,
  type MessageContent,
} from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { fromText } from './json-values.ts';

/** Every role name that is understood -> the name chat templates use. */
const ROLES: Readonly<Record<string, string>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bot: 'assistant',
  model: 'assistant',
  bing: 'assistant',
  bard: 'assistant',
  function_call: 'assistant',
  tool: 'tool',
  function: 'tool',
  observation: 'tool',
  ipython: 'tool',
  function_response: 'tool',
};

/** Keys that carried role and content and are not passed on. */
const TAKEN = new Set([
  'role',
  'from',
  'content',
  'value',
  'tool_calls',
  'weight',
  'train',
  'loss',
]);

/**
 * Reads `key` as a list of messages, in OpenAI's (`role`, `content`) or ShareGPT's keys (`from`,
 * `value`). Throws LMFLOW_DATASET_RECORD and _ROLE.
 */
export function messages(fields: CheckedFields, key: string): ChatMessage[] {
  const list = fields.objects(key, '{ role, content }');
  if (list.length === 0) fields.fail(key, 'a list with at least one message');
  return list.map(message);
}

/** One message, with `weight: 0` where an answer is kept out of training. */
export function message(fields: CheckedFields): ChatMessage {
  const roleKey = fields.has('from') && !fields.has('role') ? 'from' : 'role';
  const contentKey = fields.has('value') && !fields.has('content') ? 'value' : 'content';
  const named = fields.string(roleKey);
  const role = Object.hasOwn(ROLES, named) ? ROLES[named]! : undefined;
  if (role === undefined) {
    throw errors.role(fields.origin, fields.name(roleKey), named, Object.keys(ROLES));
  }
  const rest = Object.fromEntries(
    Object.entries(fields.all()).filter(
      ([key, value]) => !TAKEN.has(key) && value !== null && value !== undefined,
    ),
  );
  const trained = isTrained(fields, role);
  const calls = named === 'function_call' ? sharedCalls(fields, contentKey) : toolCalls(fields);
  return {
    ...rest,
    role,
    content: named === 'function_call' ? '' : content(fields, contentKey, calls.length > 0),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(trained ? {} : { weight: 0 }),
  };
}

/** Whether a turn may be trained: OpenAI's `weight: 0`, and `train` or `loss` set to false, say no. */
function isTrained(fields: CheckedFields, role: string): boolean {
  const weight = fields.optionalNumber('weight');
  if (weight !== undefined && weight !== 0 && weight !== 1) {
    fields.fail('weight', '0 (not trained) or 1');
  }
  const said = weight === undefined ? [] : [weight === 1];
  for (const key of ['train', 'loss']) {
    const value = fields.raw(key);
    if (value === undefined) continue;
    const trained = YES_OR_NO.get(value) ?? fields.fail(key, 'true or false (not trained)');
    if (trained && role !== 'assistant') {
      fields.fail(key, `false or absent on a turn of ${role}: answers alone are trained`);
    }
    if (said.some((other) => other !== trained)) {
      fields.fail(key, 'what weight, train and loss agree on');
    }
    said.push(trained);
  }
  return !said.includes(false);
}

/** As JSON has it, and as tables do. */
const YES_OR_NO: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  [false, false],
  [1, true],
  [0, false],
]);

/** Text, also where it comes in several parts; parts where there are media among them. */
function content(fields: CheckedFields, key: string, optional: boolean): MessageContent {
  const value = fields.raw(key);
  if (typeof value === 'string') return value;
  if (value === undefined && optional) return '';
  if (!Array.isArray(value)) return fields.fail(key, 'a string');
  const parts = fields.objects(key, '{ type: "text", text }').map(contentPart);
  return parts.every(isTextPart) ? textOf(parts) : parts;
}

function contentPart(fields: CheckedFields): ContentPart {
  const type = fields.string('type');
  return type === 'text' ? { type, text: fields.string('text') } : { ...fields.all(), type };
}

/** ShareGPT's function_call: the call as JSON text, or several in a list. */
function sharedCalls(fields: CheckedFields, key: string): unknown[] {
  const value = fromText(fields.raw(key));
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((entry) => {
    if (!isFields(entry) || typeof entry['name'] !== 'string') {
      return fields.fail(key, 'JSON text {"name", "arguments"} of a function call');
    }
    const values =
      toolArguments(entry['arguments']) ??
      fields.fail(key, 'JSON text of a function call whose arguments are a JSON object');
    return { type: 'function', function: { name: entry['name'], arguments: values } };
  });
}

/** OpenAI's tool_calls, with arguments as an object. */
function toolCalls(fields: CheckedFields): unknown[] {
  if (!fields.has('tool_calls')) return [];
  return fields.objects('tool_calls', '{ function: { name, arguments } }').map((entry) => {
    const called = entry.object('function', 'an object { name, arguments }');
    return {
      ...entry.all(),
      function: {
        ...called.all(),
        name: called.string('name'),
        arguments:
          toolArguments(called.raw('arguments')) ??
          called.fail('arguments', 'a JSON object, or its text'),
      },
    };
  });
}

/** The tools a conversation may use: a list of schemas, or of (or as) JSON text. */
export function tools(fields: CheckedFields): readonly unknown[] | undefined {
  if (!fields.has('tools') || fields.raw('tools') === '') return undefined;
  const list = fields.list('tools', 'tool schemas').map((entry, index) => {
    const tool = fromText(entry);
    return isFields(tool)
      ? tool
      : fields.fail(`tools[${index}]`, 'a tool schema: an object, or its JSON text', entry);
  });
  return list.length > 0 ? list : undefined;
}

/** Puts the text of a `system` key in front of messages that have no system message yet. */
export function withSystem(fields: CheckedFields, list: ChatMessage[]): ChatMessage[] {
  const system = fields.optionalString('system');
  return system && list[0]?.role !== 'system'
    ? [{ role: 'system', content: system }, ...list]
    : list;
}
