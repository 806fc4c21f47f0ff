// What messages say is text, also where it looks like a special token: `<|im_end|>` in a question
// does not end the turn. Such tokens are rendered as private characters, so that they are told from
// the template's own.
import {
  isTextPart,
  jsonObject,
  textOf,
  type ChatMessage,
  type ContentPart,
  type TextRange,
  type Tokenizer,
} from '@lmflow/sdk';

/** What a template gets. */
export interface TemplateInput {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly unknown[] | undefined;
}

/** Rendered text as it is meant. */
export interface PlainText {
  readonly text: string;
  /** Where special tokens are plain text: `plain` of `Tokenizer.encode`. */
  readonly plain: readonly TextRange[];
  /** The place in `text` of one in what was rendered. */
  readonly place: (rendered: number) => number;
}

/** Messages to render, and how to read what was rendered. */
export interface PlainContent extends TemplateInput {
  restore(rendered: string): PlainText;
}

/** The private-use characters of which one stands for each token. */
const FIRST = 0xe200;
const LAST = 0xf8ff;

/** A pattern for each of these texts, the longest first; for none where there are none. */
export function anyOf(texts: readonly string[]): RegExp {
  const longest = [...texts].sort((a, b) => b.length - a.length);
  const sources = longest.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return new RegExp(sources.length > 0 ? sources.join('|') : '(?!)', 'g');
}

const patterns = new WeakMap<readonly string[], RegExp>();

/**
 * Messages and tools in which special tokens are plain text, unless `specialTokensInText` of the
 * tokenizer is set: render `messages` and `tools`, then `restore` the text.
 */
export function plainContent(
  tokenizer: Pick<Tokenizer, 'specialTokens' | 'specialTokensInText' | 'chatTemplate'>,
  { messages: said, tools }: TemplateInput,
): PlainContent {
  const { specialTokens, specialTokensInText, chatTemplate = '' } = tokenizer;
  const pattern = patterns.get(specialTokens) ?? anyOf(specialTokens);
  patterns.set(specialTokens, pattern);
  const messages = specialTokensInText ? said : inWholeParts(said, pattern);
  const found = new Set<string>();
  const note = (text: string): string => {
    for (const [token] of text.matchAll(pattern)) found.add(token);
    return text;
  };
  if (!specialTokensInText) withTexts({ messages, tools }, note);
  if (found.size === 0) {
    return {
      messages,
      tools,
      restore: (text) => ({ text, plain: [], place: (rendered) => rendered }),
    };
  }
  const characters = unused({ messages, tools, chatTemplate }, found);
  const hidden = withTexts({ messages, tools }, (text) =>
    text.replace(pattern, (token) => characters.get(token)!),
  ) as TemplateInput;
  const tokens = new Map([...characters].map(([token, character]) => [character, token]));
  return { ...hidden, restore: (rendered) => restore(rendered, tokens) };
}

/** The messages with neighbouring parts as one where a token stands across them. */
function inWholeParts(messages: readonly ChatMessage[], pattern: RegExp): readonly ChatMessage[] {
  const count = (text: string): number => [...text.matchAll(pattern)].length;
  const whole = messages.map((message) => {
    const { content } = message;
    if (typeof content === 'string') return message;
    const apart = content.filter(isTextPart).map(({ text }) => count(text));
    if (count(textOf(content)) === apart.reduce((sum, tokens) => sum + tokens, 0)) return message;
    const parts: ContentPart[] = [];
    for (const part of content) {
      const last = parts.at(-1);
      if (last && isTextPart(last) && isTextPart(part)) {
        parts[parts.length - 1] = { ...last, text: last.text + part.text };
      } else parts.push(part);
    }
    return { ...message, content: parts };
  });
  return whole.some((message, index) => message !== messages[index]) ? whole : messages;
}

/** A private-use character that is not in the input for each token. */
function unused(input: unknown, tokens: ReadonlySet<string>): ReadonlyMap<string, string> {
  const used = new Set<string>();
  withTexts(input, (text) => {
    for (const [character] of text.matchAll(/[\uE200-\uF8FF]/g)) used.add(character);
    return text;
  });
  const characters = new Map<string, string>();
  let code = FIRST;
  for (const token of tokens) {
    while (used.has(String.fromCharCode(code)) && code < LAST) code++;
    characters.set(token, String.fromCharCode(code++));
  }
  return characters;
}

/** A value with each of its texts changed, those of keys too; the same value where none changes. */
function withTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => withTexts(item, change));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const before = Object.entries(value);
  const after = before.map(([key, item]) => [change(key), withTexts(item, change)] as const);
  const isSame = after.every(
    ([key, item], at) => key === before[at]![0] && item === before[at]![1],
  );
  return isSame ? value : jsonObject(after);
}

function restore(rendered: string, tokens: ReadonlyMap<string, string>): PlainText {
  const places: number[] = [];
  const plain: TextRange[] = [];
  let text = '';
  for (let index = 0; index < rendered.length; index++) {
    places.push(text.length);
    const token = tokens.get(rendered[index]!);
    if (token !== undefined) plain.push([text.length, text.length + token.length]);
    text += token ?? rendered[index]!;
  }
  places.push(text.length);
  return { text, plain, place: (index) => places[index]! };
}
