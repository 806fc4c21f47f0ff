// Finds one answer in a rendered conversation by rendering it with changes: without what follows,
// with a probe in the answer's place. What the template prints tells where the answer is.
import { textOf, type ChatMessage, type Tokenizer } from '@lmflow/sdk';
import type { SpecialTokens } from './special-tokens.ts';

/** A conversation to be rendered. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** Schemas of the tools that the model may call. */
  readonly tools?: readonly unknown[] | undefined;
}

/** Start (inclusive) and end (exclusive) in UTF-16 units. */
export type Span = readonly [start: number, end: number];

/** What is known of the template. */
export interface TemplateFacts {
  readonly tokenizer: Tokenizer;
  readonly specials: SpecialTokens;
  /** It prints the answer's header for addGenerationPrompt. */
  readonly hasHeader: boolean;
}

/**
 * Stands in for an answer, to see where the template puts it. Letters only, so that no filter
 * changes it.
 */
const PROBE = 'LMFLOWPROBEXQZJ';

/** The search in one conversation. */
export class AnswerSearch {
  /** The whole conversation. */
  readonly text: string;
  private readonly messages: readonly ChatMessage[];
  private readonly tools: readonly unknown[] | undefined;
  private readonly facts: TemplateFacts;

  /** `text` is what the template makes of the conversation. */
  constructor({ messages, tools }: Conversation, text: string, facts: TemplateFacts) {
    this.messages = messages;
    this.tools = tools;
    this.facts = facts;
    this.text = text;
  }

  /**
   * The span of the answer at an index of the messages; undefined where it cannot be found. `from`
   * is where the answer before it ends.
   */
  span(index: number, from: number): Span | undefined {
    const found = this.facts.hasHeader
      ? (this.byPrefix(index) ?? this.byProbe(index))
      : (this.byProbe(index) ?? this.byPrefix(index));
    return found ?? this.byText(index, from);
  }

  /**
   * The template's text up to the answer, and up to after it, where both are beginnings of the
   * whole.
   */
  private byPrefix(index: number): Span | undefined {
    const { text } = this;
    const before = this.prompt(index);
    if (before === undefined || before === '' || !text.startsWith(before)) return undefined;
    const after = this.isLast(index) ? text : this.attempt(this.messages.slice(0, index + 1));
    if (after === undefined || !text.startsWith(after) || after.length <= before.length) {
      return undefined;
    }
    const start = this.facts.hasHeader ? before.length : this.withoutHeader(before.length, index);
    return start === undefined ? undefined : [start, after.length];
  }

  /**
   * A template that ignores addGenerationPrompt may print a header before the answer: only white
   * space is taken as the answer's own.
   */
  private withoutHeader(from: number, index: number): number | undefined {
    const content = this.answer(index);
    const at = this.text.indexOf(content, from);
    if (at < 0 || content === '') return undefined;
    return this.text.slice(from, at).trim() === '' ? from : at;
  }

  /**
   * Puts a probe in the answer's place: what the template prints before and after it encloses the
   * answer in the whole. It stands beside the answer's calls and reasoning, or for all of it: a
   * template may print a line between a text and a call that it does not print before a call alone.
   */
  private byProbe(index: number): Span | undefined {
    const answer = this.messages[index]!;
    const bare = { role: answer.role, content: PROBE };
    for (const probe of [{ ...answer, content: PROBE }, bare]) {
      const { text } = this;
      const parts = this.attempt(this.messages.with(index, probe))?.split(PROBE);
      if (parts?.length !== 2) continue;
      const [before, after] = parts as [string, string];
      const end = text.length - after.length;
      if (!text.startsWith(before) || !text.endsWith(after) || end < before.length) continue;
      return [this.answerStart(before, index), end + this.ending(index, after)];
    }
    return undefined;
  }

  /**
   * Where the model begins to speak: behind the header it is given; white space that a template
   * without header prints is the model's.
   */
  private answerStart(before: string, index: number): number {
    const prompt = this.prompt(index);
    if (prompt === undefined || !before.startsWith(prompt)) return before.length;
    const header = before.slice(prompt.length);
    return this.facts.hasHeader || header.trim() === '' ? prompt.length : before.length;
  }

  /** The answer's own text, where it stands only once behind the answers before. */
  private byText(index: number, from: number): Span | undefined {
    const { text } = this;
    const content = this.answer(index);
    const at = content === '' ? -1 : text.indexOf(content, from);
    if (at < 0) return undefined;
    if (text.indexOf(content, at + 1) >= 0 && !this.isLast(index)) return undefined;
    const start = this.isLast(index) ? text.lastIndexOf(content) : at;
    const end = start + content.length;
    return [start, end + this.ending(index, text.slice(end))];
  }

  /**
   * How many characters of `after` end the turn: those that the template also prints where the
   * answer is the last message.
   */
  private ending(index: number, after: string): number {
    if (this.isLast(index)) return after.length;
    const alone = this.attempt(this.probed(index).slice(0, index + 1))?.split(PROBE);
    const tail = alone?.length === 2 ? alone[1]! : '';
    let shared = 0;
    while (shared < tail.length && tail[shared] === after[shared]) shared++;
    if (shared === tail.length) return shared;
    // the common part may stop inside of a token (`<|end|>\n<|` of `<|end|>\n<|user|>`): it is cut
    // back to the last special token
    return this.specialsEnd(after.slice(0, shared));
  }

  private specialsEnd(text: string): number {
    const { tokenizer, specials } = this.facts;
    const { ids, offsets } = tokenizer.encode(text);
    for (let token = ids.length - 1; token >= 0; token--) {
      if (specials.has(ids[token]!)) return offsets[2 * token + 1]!;
    }
    return text.trim() === '' ? text.length : 0;
  }

  private answer(index: number): string {
    return textOf(this.messages[index]!.content).trim();
  }

  private isLast(index: number): boolean {
    return index === this.messages.length - 1;
  }

  /** The messages with a probe as the content of one. */
  private probed(index: number): readonly ChatMessage[] {
    return this.messages.with(index, { ...this.messages[index]!, content: PROBE });
  }

  /** What the model is given to answer at an index: the messages before it. */
  private prompt(index: number): string | undefined {
    return this.attempt(this.messages.slice(0, index), true);
  }

  /** Undefined where the template refuses these messages. */
  private attempt(
    messages: readonly ChatMessage[],
    addGenerationPrompt = false,
  ): string | undefined {
    try {
      return this.render(messages, addGenerationPrompt);
    } catch {
      return undefined;
    }
  }

  private render(messages: readonly ChatMessage[], addGenerationPrompt = false): string {
    const { tools } = this;
    return this.facts.tokenizer.render(messages, {
      ...(tools ? { tools } : {}),
      addGenerationPrompt,
    });
  }
}
