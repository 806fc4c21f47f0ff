// Collects the prompts of `lmflow generate`: words of the command line, a file, piped text.
import { text } from 'node:stream/consumers';
import { parseJson, toolArguments, type ChatMessage } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import { promptMissing, promptsInvalid, promptsUnreadable } from '../errors.ts';

/** The largest file of prompts, in bytes. */
const LARGEST = 2 ** 28;

export type Prompt = string | readonly ChatMessage[];

export interface PromptSources {
  readonly positionals: readonly string[];
  /** A .jsonl or .json file of prompts; any other file has one prompt per line. */
  readonly file: string | undefined;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
}

/** Collects prompts; throws LMFLOW_GENERATE_PROMPT_MISSING and LMFLOW_GENERATE_PROMPTS_INVALID. */
export async function collectPrompts({
  positionals,
  file,
  input,
}: PromptSources): Promise<Prompt[]> {
  const piped =
    positionals.length === 0 && file === undefined
      ? input.isTTY !== true
      : positionals.includes('-');
  const prompts: Prompt[] = positionals.filter((word) => word !== '-');
  if (file !== undefined) prompts.push(...(await readPrompts(file)));
  if (piped) {
    const prompt = (await text(input)).replace(/\r?\n$/, '');
    if (prompt !== '') prompts.push(prompt);
  }
  if (prompts.length === 0) throw promptMissing();
  return prompts;
}

async function readPrompts(file: string): Promise<Prompt[]> {
  let content: string;
  try {
    content = (await readWhole(file, LARGEST)).replace(/^\uFEFF/, '');
  } catch (cause) {
    throw promptsUnreadable(file, cause);
  }
  const lines = content
    .split(/\r?\n/)
    .map((line, index) => ({ line, where: `line ${index + 1}` }))
    .filter(({ line }) => line.trim() !== '');
  if (/\.jsonl$/i.test(file)) {
    return lines.map(({ line, where }) => promptOf(parse(line, file, where), file, where));
  }
  if (!/\.json$/i.test(file)) return lines.map(({ line }) => line);
  const list = parse(content, file, 'the file');
  if (!Array.isArray(list)) throw promptsInvalid(file, 'the file is not a list of prompts');
  return list.map((entry, index) => promptOf(entry, file, `entry ${index + 1}`));
}

function parse(json: string, file: string, where: string): unknown {
  try {
    return parseJson(json);
  } catch (cause) {
    throw promptsInvalid(file, `${where} is not JSON`, cause);
  }
}

function promptOf(entry: unknown, file: string, where: string): Prompt {
  if (typeof entry === 'string') return entry;
  const { prompt, messages } = (entry ?? {}) as {
    readonly prompt?: unknown;
    readonly messages?: unknown;
  };
  if (typeof prompt === 'string') return prompt;
  if (Array.isArray(messages) && messages.length > 0 && messages.every(isMessage)) {
    return messages.map((message) => withArguments(message, file, where));
  }
  throw promptsInvalid(
    file,
    `${where} is neither a string nor an object with "prompt" or "messages"`,
  );
}

/** Calls with arguments as objects, which is what templates take, beside a text, or none. */
function withArguments(message: ChatMessage, file: string, where: string): ChatMessage {
  const calls: unknown = message['tool_calls'];
  if (!Array.isArray(calls)) return message;
  const toolCalls = calls.map((call: { readonly function?: Readonly<Record<string, unknown>> }) => {
    const values = toolArguments(call?.function?.['arguments']);
    if (values) return { ...call, function: { ...call?.function, arguments: values } };
    throw promptsInvalid(file, `${where} has a call whose arguments are no JSON object`);
  });
  return { ...message, content: message.content ?? '', tool_calls: toolCalls };
}

function isMessage(message: unknown): message is ChatMessage {
  const { role, content, tool_calls: calls } = (message ?? {}) as Partial<ChatMessage>;
  if (typeof role !== 'string') return false;
  if (Array.isArray(calls) && (content ?? null) === null) return true;
  return typeof content === 'string' || (Array.isArray(content) && content.every(isPart));
}

function isPart(part: unknown): boolean {
  const { type, text } = (part ?? {}) as { readonly type?: unknown; readonly text?: unknown };
  return typeof type === 'string' && (type !== 'text' || typeof text === 'string');
}
