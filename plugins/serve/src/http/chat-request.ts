// Checks the body of a chat request and turns its messages into what chat templates take.
import { isFields, toolArguments, type ChatMessage } from '@lmflow/sdk';
import { z } from 'zod';
import { invalid, missing, unsupported } from './failures.ts';
import type { FunctionTool } from '../thread-messages.ts';
import { parse, shared, type Refusal, type Served } from './parameters.ts';

const text = z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]);
const absent = z.undefined().optional();
const named = { name: z.string().optional() };
const call = z.strictObject({
  id: z.string().optional(),
  type: z.literal('function').default('function'),
  index: z.int().optional(),
  function: z.strictObject({ name: z.string().min(1), arguments: z.string().default('') }),
});
const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.enum(['system', 'developer', 'user']), content: text, ...named }),
  z.strictObject({
    role: z.literal('assistant'),
    content: text.optional(),
    tool_calls: z.array(call).optional(),
    ...named,
    // two names for what a reasoning model thought before it answered
    reasoning_content: z.string().optional(),
    reasoning: z.string().optional(),
    refusal: z.string().optional(),
    audio: absent,
    function_call: absent,
    // an answer's sources, which clients send back with it: no model is told of them
    annotations: z.array(z.unknown()).optional(),
  }),
  z.strictObject({
    role: z.literal('tool'),
    content: text,
    tool_call_id: z.string().optional(),
    ...named,
  }),
]);
const tool = z.strictObject({
  type: z.literal('function').default('function'),
  function: z.strictObject({
    name: z.string().regex(/^[\w.-]{1,64}$/),
    description: z.string().optional(),
    parameters: z.custom(isFields, 'Invalid input: expected record').optional(),
    strict: z.boolean().optional(),
  }),
});

const schema = z.strictObject({
  ...shared,
  messages: z.array(message).min(1),
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).max(20).optional(),
  tools: z.array(tool).max(128).optional(),
  tool_choice: z.unknown().optional(),
  parallel_tool_calls: z.boolean().optional(),
});

export type ChatRequest = z.output<typeof schema>;

const refusals: Readonly<Record<string, Refusal>> = {
  response_format: { accepted: [{ type: 'text' }], why: 'the answer is always plain text' },
  functions: { accepted: [[]], why: 'use tools' },
  function_call: { accepted: ['none', 'auto'], why: 'use tools' },
  audio: { accepted: [], why: 'answers are text' },
  modalities: { accepted: [['text']], why: 'answers are text' },
  prediction: { accepted: [], why: 'there is no predicted output' },
  reasoning_effort: { accepted: [], why: 'the model has no such setting' },
  verbosity: { accepted: [], why: 'the model has no such setting' },
  prompt_cache_retention: { accepted: ['in_memory'], why: 'prompts are cached in memory' },
  service_tier: { accepted: ['auto', 'default'], why: 'there is one tier' },
  store: { accepted: [false], why: 'nothing is stored' },
  metadata: { accepted: [{}], why: 'nothing is stored' },
  web_search_options: { accepted: [], why: 'there is no web search' },
};

export interface ReadChat {
  readonly request: ChatRequest;
  readonly messages: readonly ChatMessage[];
  /** Undefined where the template gets no tools. */
  readonly tools: readonly FunctionTool[] | undefined;
  /** Fields for plugins, not checked yet. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Names of this endpoint's parameters. */
export const chatParameters: readonly string[] = Object.keys(schema.shape);

/** Checks a body. Throws a Failure. */
export function readChat(body: unknown, { find, requestSettings }: Served): ReadChat {
  const { request, given, settings } = parse(schema, refusals, body, requestSettings);
  const model = find(request.model);
  const { max_tokens: most, max_completion_tokens: newMost, tool_choice: choice } = request;
  if (most !== undefined && newMost !== undefined && most !== newMost) {
    throw invalid("'max_tokens' and 'max_completion_tokens' differ", 'max_tokens');
  }
  if (request.top_logprobs && request.logprobs !== true) {
    throw invalid("'top_logprobs' needs 'logprobs': true", 'top_logprobs');
  }
  if (choice !== undefined && choice !== 'auto' && choice !== 'none') {
    throw unsupported('tool_choice', 'a call cannot be forced; "auto" and "none" are allowed');
  }
  // as they were given: templates print them, and the checks put their keys in another order
  const tools = request.tools?.length
    ? (given['tools'] as Partial<FunctionTool>[]).map(withType)
    : undefined;
  if (tools !== undefined && choice !== 'none' && request.parallel_tool_calls === false) {
    throw unsupported('parallel_tool_calls', 'the model decides how many calls it makes');
  }
  const calls = request.messages.some(
    (turn) => turn.role === 'tool' || (turn.role === 'assistant' && turn.tool_calls?.length),
  );
  if ((tools !== undefined || calls) && model.toolsRefused !== undefined) {
    throw unsupported(tools ? 'tools' : 'messages', model.toolsRefused);
  }
  return {
    request,
    tools: choice === 'none' ? undefined : tools,
    messages: request.messages.map(toTemplate),
    ...(settings ? { settings } : {}),
  };
}

const withType = (tool: Partial<FunctionTool>): FunctionTool =>
  ('type' in tool ? tool : { type: 'function', ...tool }) as FunctionTool;

type Message = ChatRequest['messages'][number];
type Answer = Extract<Message, { role: 'assistant' }>;

function toTemplate(message: Message, index: number): ChatMessage {
  const place = `messages[${index}]`;
  const name = message.name === undefined ? {} : { name: message.name };
  if (message.role === 'assistant') return { ...answer(message, place), ...name };
  const content = textContent(message.content, `${place}.content`);
  if (message.role === 'tool') {
    const { tool_call_id: id } = message;
    return { role: 'tool', content, ...name, ...(id === undefined ? {} : { tool_call_id: id }) };
  }
  return { role: message.role === 'user' ? 'user' : 'system', content, ...name };
}

function answer(message: Answer, place: string): ChatMessage {
  const { tool_calls: calls = [], refusal } = message;
  const reasoning = message.reasoning_content ?? message.reasoning;
  const content = message.content ?? refusal;
  if (content === undefined && calls.length === 0 && reasoning === undefined) {
    throw missing(`${place}.content`);
  }
  // templates write arguments with tojson, so they need the object and not its text
  const toolCalls = calls.map(({ index: _, function: called, ...call }, at) => ({
    ...call,
    function: {
      name: called.name,
      arguments: parseArguments(called.arguments, `${place}.tool_calls[${at}].function.arguments`),
    },
  }));
  return {
    role: 'assistant',
    content: textContent(content ?? '', `${place}.content`),
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    ...(calls.length > 0 ? { tool_calls: toolCalls } : {}),
  };
}

function textContent(content: string | readonly Record<string, unknown>[], place: string): string {
  if (typeof content === 'string') return content;
  return content
    .map((part, index) => {
      const type = String(part['type']);
      // a refusal is the text of an answer that declines
      if (type !== 'text' && type !== 'refusal') {
        throw unsupported(`${place}[${index}].type`, `"${type}" is not text`);
      }
      const text = part[type];
      if (typeof text === 'string') return text;
      const at = `${place}[${index}].${type}`;
      throw invalid(`Invalid value for '${at}': it must be a string`, at, 'invalid_value');
    })
    .join('');
}

function parseArguments(json: string, place: string): Record<string, unknown> {
  const values = toolArguments(json);
  if (values) return values;
  throw invalid(
    `Invalid value for '${place}': it must be the text of a JSON object`,
    place,
    'invalid_value',
  );
}
