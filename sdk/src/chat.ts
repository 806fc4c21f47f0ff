// Chats: messages, the templates that turn them into text, and the formats in which models write tool
// calls. The tokenizer renders templates; the plugin chat-templates and others add named ones.
import { isFields, parseJson } from './json.ts';
import { registry } from './registry.ts';

/** A piece of text in a message. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/**
 * An image, a sound, ... in a message. The keys beside `type` (`image`, `image_url`, `audio`) are for
 * the encoder of that type.
 */
export interface MediaPart {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** One part of a message: text, or media of some type. */
export type ContentPart = TextPart | MediaPart;

/** What a message says: text, or parts in order. */
export type MessageContent = string | readonly ContentPart[];

/** Whether a part is text; all others are media. */
export const isTextPart = (part: ContentPart): part is TextPart => part.type === 'text';

/** The text of a content: its text parts one after another. Media are left out: see mediaOf. */
export function textOf(content: MessageContent): string {
  if (typeof content === 'string') return content;
  return content
    .filter(isTextPart)
    .map(({ text }) => text)
    .join('');
}

/** The parts of a content that are not text, each with its index. */
export function mediaOf(
  content: MessageContent,
): readonly { readonly index: number; readonly part: MediaPart }[] {
  if (typeof content === 'string') return [];
  return content.flatMap((part, index) => (isTextPart(part) ? [] : [{ index, part }]));
}

/** One turn of a chat. Further keys (`tool_calls`, `name`, ...) reach the template as they are. */
export interface ChatMessage {
  /** system, user, assistant, tool. */
  readonly role: string;
  readonly content: MessageContent;
  readonly [key: string]: unknown;
}

/** A chat template that `chatTemplate` can name. */
export interface ChatTemplate {
  readonly name: string;
  /** Its Jinja source. A function gets whether the tokenizer puts BOS at the beginning of a text. */
  readonly source: string | ((bos: boolean) => string);
  /**
   * Tokens that the format consists of. Where the tokenizer lacks one, it is encoded as plain text,
   * with a warning.
   */
  readonly markers?: readonly string[];
}

/** The templates that have names. */
export const CHAT_TEMPLATES = registry<ChatTemplate>(
  'chat-templates',
  'chat template',
  '@lmflow/plugin-chat-templates',
);

/** A call that a model made, as OpenAI's API writes it. */
export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  /** `arguments` is a JSON object as text. */
  readonly function: { readonly name: string; readonly arguments: string };
}

/**
 * What a call is given, as an object, which is what chat templates take: an object as it is, or JSON
 * text. An empty text is how several servers write a call without arguments. Undefined where it is
 * neither.
 */
export function toolArguments(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'string') return isFields(value) ? value : undefined;
  if (value.trim() === '') return {};
  try {
    const parsed = parseJson(value);
    return isFields(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Splits one answer, while it is written, into plain text and calls. What does not parse, or names
 * an unknown function, stays text.
 */
export interface ToolCallReader {
  /** Whether there was a call. */
  readonly called: boolean;
  /** Takes a piece and returns what is certain by now; with `last`, everything. */
  push(
    piece: string,
    last: boolean,
  ): { readonly text: string; readonly calls: readonly ToolCall[] };
}

/** A format in which models write tool calls. */
export interface ToolCallFormat {
  readonly name: string;
  /** What a call looks like, for messages. */
  readonly description: string;
  /** Whether a chat template asks the model to write calls this way. */
  matches(template: string): boolean;
  /** A reader of one answer; `functions` are the names of those that may be called. */
  reader(functions: ReadonlySet<string>): ToolCallReader;
}

/** The formats of tool calls; the first one that matches a template is taken. */
export const TOOL_CALL_FORMATS = registry<ToolCallFormat>(
  'tool-call-formats',
  'format of tool calls',
  '@lmflow/plugin-chat-templates',
);
