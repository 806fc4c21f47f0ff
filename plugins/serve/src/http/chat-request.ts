// Checks the body of a chat request and turns its messages into what chat templates take.
import type { ChatMessage } from '@lmflow/sdk';
import { z } from 'zod';
import { invalid, unsupported } from './failures.ts';
import { parse, shared, type Refusal, type Served } from './parameters.ts';

const text = z.union([z.string(), z.array(z.looseObject({ type: z.string() })).min(1)]);
const absent = z.null().optional();
const named = { name: z.string().optional() };
const call = z.strictObject({
  id: z.string(),
  type: z.literal('function'),
  index: z.int().optional(),
  function: z.strictObject({ name: z.string().min(1), arguments: z.string() }),
});
const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.enum(['system', 'developer', 'user']), content: text, ...named }),
  z.strictObject({
    role: z.literal('assistant'),
    content: text.nullish(),
    tool_calls: z.array(call).min(1).optional(),
    ...named,
    refusal: absent,
    audio: absent,
    function_call: absent,
    annotations: z.array(z.unknown()).max(0).optional(),
  }),
  z.strictObject({ role: z.literal('tool'), content: text, tool_call_id: z.string() }),
]);
const tool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().regex(/^[\w.-]{1,64}$/),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
    strict: z.literal(false).nullish(),
  }),
});

const schema = z.strictObject({
  ...shared,
  messages: z.array(message).min(1),
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).max(20).optional(),
  tools: z.array(tool).min(1).max(128).optional(),
  tool_choice: z.unknown().optional(),
});

export type ChatRequest = z.output<typeof schema>;

const refusals: Readonly<Record<string, Refusal>> = {
  response_format: { accepted: [{ type: 'text' }], why: 'the answer is always plain text' },
  functions: { accepted: [], why: 'use tools' },
  function_call: { accepted: ['none'], why: 'use tools' },
  parallel_tool_calls: { accepted: [true], why: 'the model decides how many calls it makes' },
  audio: { accepted: [], why: 'answers are text' },
  modalities: { accepted: [['text']], why: 'answers are text' },
  prediction: { accepted: [], why: 'there is no predicted output' },
  reasoning_effort: { accepted: [], why: 'the model has no such setting' },
  verbosity: { accepted: [], why: 'the model has no such setting' },
  service_tier: { accepted: ['auto', 'default'], why: 'there is one tier' },
  store: { accepted: [false], why: 'nothing is stored' },
  metadata: { accepted: [], why: 'nothing is stored' },
  web_search_options: { accepted: [], why: 'there is no web search' },
};

export interface ReadChat {
  readonly request: ChatRequest;
  readonly messages: readonly ChatMessage[];
  /** Undefined where the template gets no tools. */
  readonly tools: NonNullable<ChatRequest['tools']> | undefined;
  /** Fields for plugins, not checked yet. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Names of this endpoint's parameters. */
export const chatParameters: readonly string[] = Object.keys(schema.shape);

/** Checks a body. Throws a Failure. */
export function readChat(body: unknown, { find, requestSettings }: Served): ReadChat {
  const { request, settings } = parse(schema, refusals, body, requestSettings);
  const model = find(request.model);
  if (request.max_tokens !== undefined && request.max_completion_tokens !== undefined) {
    throw invalid("'max_tokens' and 'max_completion_tokens' are both set", 'max_tokens');
  }
  if (request.top_logprobs !== undefined && request.logprobs !== true) {
    throw invalid("'top_logprobs' needs 'logprobs': true", 'top_logprobs');
  }
  const { tools, tool_choice: choice } = request;
  if (choice !== undefined && tools === undefined) {
    throw invalid("'tool_choice' needs 'tools'", 'tool_choice');
  }
  if (choice !== undefined && choice !== 'auto' && choice !== 'none') {
    throw unsupported('tool_choice', 'a call cannot be forced; "auto" and "none" are allowed');
  }
  const calls = request.messages.some(
    (turn) => turn.role === 'tool' || (turn.role === 'assistant' && turn.tool_calls !== undefined),
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

function toTemplate(message: ChatRequest['messages'][number], index: number): ChatMessage {
  const place = `messages[${index}].content`;
  const role = message.role === 'developer' ? 'system' : message.role;
  const content =
    message.content === undefined || message.content === null
      ? ''
      : textContent(message.content, place);
  const name = 'name' in message && message.name !== undefined ? { name: message.name } : {};
  if (message.role === 'tool') return { role, content, tool_call_id: message.tool_call_id };
  if (message.role !== 'assistant' || message.tool_calls === undefined) {
    if (
      message.role === 'assistant' &&
      (message.content === undefined || message.content === null)
    ) {
      throw invalid(`'${place}' is missing`, place, 'missing_required_parameter');
    }
    return { role, content, ...name };
  }
  // templates write arguments with tojson, so they need the object and not its text
  const toolCalls = message.tool_calls.map(
    ({ id, type, function: { name: functionName, arguments: json } }, at) => ({
      id,
      type,
      function: {
        name: functionName,
        arguments: parseArguments(json, `messages[${index}].tool_calls[${at}].function.arguments`),
      },
    }),
  );
  return { role, content, ...name, tool_calls: toolCalls };
}

function textContent(content: string | readonly Record<string, unknown>[], place: string): string {
  if (typeof content === 'string') return content;
  return content
    .map((part, index) => {
      if (part['type'] !== 'text') {
        throw unsupported(`${place}[${index}].type`, `"${String(part['type'])}" is not text`);
      }
      if (typeof part['text'] !== 'string') {
        throw invalid(
          `Invalid value for '${place}[${index}].text': it must be a string`,
          `${place}[${index}].text`,
          'invalid_value',
        );
      }
      return part['text'];
    })
    .join('');
}

function parseArguments(json: string, place: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // refused below
  }
  throw invalid(
    `Invalid value for '${place}': it must be the text of a JSON object`,
    place,
    'invalid_value',
  );
}
