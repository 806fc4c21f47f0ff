// Where the answers are in a rendered conversation: the characters to train. Works for templates
// without {% generation %} by watching what the template does, and gives the answer with what ends
// its turn, never the role's header.
import type { ChatMessage, Tokenizer } from '@lmflow/sdk';

/** Start (inclusive) and end (exclusive) in UTF-16 units. */
export type Span = readonly [start: number, end: number];

export interface Rendered {
  readonly text: string;
  readonly spans: readonly Span[];
}

/** A conversation whose answer could not be found. */
export class SpanError extends Error {
  /** Index of the message. */
  readonly index: number;
  constructor(index: number) {
    super(`message ${index} was not found in the rendered text`);
    this.index = index;
  }
}

type Tools = readonly unknown[] | undefined;
type Render = (messages: readonly ChatMessage[], addGenerationPrompt?: boolean) => string;

/**
 * Stands in for an answer, to see where the template puts it. Letters only, so that no filter
 * changes it.
 */
const PROBE = 'LMFLOWPROBEXQZJ';
const GENERATION = /\{%(-?)\s*generation\s*(-?)%\}/g;
const END_GENERATION = /\{%(-?)\s*endgeneration\s*(-?)%\}/g;
/** Private-use characters that a marked template prints around answers. */
const OPEN = '\uE0F0';
const CLOSE = '\uE0F1';

/** Whether an answer is to be trained: of the assistant, and not switched off by `weight: 0`. */
export const isTrained = (message: ChatMessage): boolean =>
  message.role === 'assistant' && message['weight'] !== 0;

/**
 * Finds answers in what one chat template makes of conversations. Throws SpanError, and whatever
 * the template throws.
 */
export class SpanFinder {
  private readonly tokenizer: Tokenizer;
  private readonly template: string;
  private readonly marked: string | undefined;
  private readonly hasHeader: boolean;

  constructor(tokenizer: Tokenizer) {
    this.tokenizer = tokenizer;
    this.template = tokenizer.chatTemplate ?? '';
    this.marked = markGeneration(this.template);
    this.hasHeader = this.printsHeader();
  }

  /** Renders a conversation and gives the spans of its trained answers. */
  find(messages: readonly ChatMessage[], tools: Tools): Rendered {
    if (this.marked !== undefined) {
      const rendered = this.byMarks(messages, tools);
      if (rendered) return rendered;
    }
    const render: Render = (list, addGenerationPrompt = false) =>
      this.tokenizer.render(list, { ...(tools ? { tools } : {}), addGenerationPrompt });
    const text = render(messages);
    const spans: Span[] = [];
    let from = 0;
    for (const [index, message] of messages.entries()) {
      if (message.role !== 'assistant') continue;
      const prefix = (): Span | undefined => this.byPrefix(render, text, messages, index);
      const probe = (): Span | undefined => this.byProbe(render, text, messages, index);
      const span =
        (this.hasHeader ? (prefix() ?? probe()) : (probe() ?? prefix())) ??
        this.bySearch(render, text, messages, index, from);
      if (!span || span[0] < from) throw new SpanError(index);
      from = span[1];
      if (isTrained(message)) spans.push(span);
    }
    return { text, spans };
  }

  /**
   * Does the template print something for addGenerationPrompt? Where it does, everything after that
   * is the model's to say.
   */
  private printsHeader(): boolean {
    const user = [{ role: 'user', content: 'x' }];
    try {
      return (
        this.tokenizer.render(user, { addGenerationPrompt: true }) !== this.tokenizer.render(user)
      );
    } catch {
      return false;
    }
  }

  /** {% generation %} as the template's author set it, stretched over what ends the turn. */
  private byMarks(messages: readonly ChatMessage[], tools: Tools): Rendered | undefined {
    if (
      messages.some((message) => message.content.includes(OPEN) || message.content.includes(CLOSE))
    ) {
      return undefined;
    }
    const { tokenizer } = this;
    let marked: string;
    try {
      tokenizer.chatTemplate = this.marked;
      marked = tokenizer.render(messages, tools ? { tools } : {});
    } finally {
      tokenizer.chatTemplate = this.template;
    }
    const pieces = marked.split(/([\uE0F0\uE0F1])/);
    const spans: [number, number][] = [];
    let text = '';
    for (const piece of pieces) {
      if (piece === OPEN) spans.push([text.length, -1]);
      else if (piece === CLOSE) spans.at(-1)![1] = text.length;
      else text += piece;
    }
    const answers = messages.filter((message) => message.role === 'assistant');
    if (spans.length !== answers.length || spans.some(([, end]) => end < 0)) return undefined;
    return {
      text,
      spans: spans
        .map(([start, end]): Span => [start, this.turnEnd(text, end)])
        .filter((_, index) => isTrained(answers[index]!)),
    };
  }

  /**
   * The template's text up to the answer, and up to after it, where both are beginnings of the
   * whole.
   */
  private byPrefix(
    render: Render,
    text: string,
    messages: readonly ChatMessage[],
    index: number,
  ): Span | undefined {
    const before = attempt(() => render(messages.slice(0, index), true));
    if (before === undefined || before === '' || !text.startsWith(before)) return undefined;
    const after =
      index === messages.length - 1 ? text : attempt(() => render(messages.slice(0, index + 1)));
    if (after === undefined || !text.startsWith(after) || after.length <= before.length) {
      return undefined;
    }
    const start = this.hasHeader
      ? before.length
      : this.withoutHeader(text, before.length, messages[index]!.content);
    return start === undefined ? undefined : [start, after.length];
  }

  /**
   * A template that ignores addGenerationPrompt may print a header before the answer: only white
   * space is taken as the answer's own.
   */
  private withoutHeader(text: string, from: number, content: string): number | undefined {
    const at = text.indexOf(content.trim(), from);
    if (at < 0 || content.trim() === '') return undefined;
    return text.slice(from, at).trim() === '' ? from : at;
  }

  /**
   * Puts a probe in the answer's place: what the template prints before and after it encloses the
   * answer in the whole.
   */
  private byProbe(
    render: Render,
    text: string,
    messages: readonly ChatMessage[],
    index: number,
  ): Span | undefined {
    const probed = [...messages];
    probed[index] = { ...messages[index]!, content: PROBE };
    const parts = attempt(() => render(probed))?.split(PROBE);
    if (parts?.length !== 2) return undefined;
    const [before, after] = parts as [string, string];
    const end = text.length - after.length;
    if (!text.startsWith(before) || !text.endsWith(after) || end < before.length) return undefined;
    return [
      this.answerStart(render, before, messages, index),
      end + this.ending(render, probed, index, after),
    ];
  }

  /**
   * Where the model begins to speak: behind the header it is given; white space that a template
   * without header prints is the model's.
   */
  private answerStart(
    render: Render,
    before: string,
    messages: readonly ChatMessage[],
    index: number,
  ): number {
    const given = attempt(() => render(messages.slice(0, index), true));
    if (given === undefined || !before.startsWith(given)) return before.length;
    return this.hasHeader || before.slice(given.length).trim() === ''
      ? given.length
      : before.length;
  }

  /** The answer's own text, where it stands only once behind the answers before. */
  private bySearch(
    render: Render,
    text: string,
    messages: readonly ChatMessage[],
    index: number,
    from: number,
  ): Span | undefined {
    const content = messages[index]!.content.trim();
    const at = content === '' ? -1 : text.indexOf(content, from);
    if (at < 0 || (text.indexOf(content, at + 1) >= 0 && index < messages.length - 1)) {
      return undefined;
    }
    const start = index === messages.length - 1 ? text.lastIndexOf(content) : at;
    const end = start + content.length;
    const probed = [...messages];
    probed[index] = { ...messages[index]!, content: PROBE };
    return [start, end + this.ending(render, probed, index, text.slice(end))];
  }

  /**
   * How many characters of `after` end the turn: those that the template also prints where the
   * answer is the last message.
   */
  private ending(
    render: Render,
    probed: readonly ChatMessage[],
    index: number,
    after: string,
  ): number {
    if (index === probed.length - 1) return after.length;
    const alone = attempt(() => render(probed.slice(0, index + 1)))?.split(PROBE);
    const tail = alone?.length === 2 ? alone[1]! : '';
    let shared = 0;
    while (shared < tail.length && tail[shared] === after[shared]) shared++;
    if (shared === tail.length) return shared;
    // the common part may stop inside of a token (`<|end|>\n<|` of `<|end|>\n<|user|>`): it is cut
    // back to the last special token
    return this.specialsEnd(after.slice(0, shared));
  }

  /** The end of a marked answer, moved behind a special token that follows it. */
  private turnEnd(text: string, end: number): number {
    const rest = text.slice(end, end + 64);
    const { ids, offsets } = this.tokenizer.encode(rest);
    for (let token = 0; token < ids.length; token++) {
      const piece = rest.slice(offsets[2 * token], offsets[2 * token + 1]);
      if (isSpecial(this.tokenizer, ids[token]!)) return end + offsets[2 * token + 1]!;
      if (piece.trim() !== '') return end;
    }
    return end;
  }

  private specialsEnd(text: string): number {
    const { ids, offsets } = this.tokenizer.encode(text);
    for (let token = ids.length - 1; token >= 0; token--) {
      if (isSpecial(this.tokenizer, ids[token]!)) return offsets[2 * token + 1]!;
    }
    return text.trim() === '' ? text.length : 0;
  }
}

const specials = new WeakMap<Tokenizer, Map<number, boolean>>();

/** Whether a token is a control token: it vanishes when special tokens are skipped. */
export function isSpecial(tokenizer: Tokenizer, id: number): boolean {
  const known = specials.get(tokenizer) ?? new Map<number, boolean>();
  specials.set(tokenizer, known);
  let special = known.get(id);
  if (special === undefined) {
    special =
      id === tokenizer.eosId ||
      id === tokenizer.bosId ||
      (tokenizer.decode([id], { skipSpecialTokens: true }) === '' && tokenizer.decode([id]) !== '');
    known.set(id, special);
  }
  return special;
}

/**
 * The template with characters printed where {% generation %} begins and ends; undefined where it
 * has none.
 */
function markGeneration(template: string): string | undefined {
  if (template.search(GENERATION) < 0) return undefined;
  // block tags on both sides keep the whitespace control that the original tags had
  const print =
    (mark: string) =>
    (_: string, left: string, right: string): string =>
      `{%${left} if true %}{{ '${mark}' }}{% endif ${right}%}`;
  return template.replace(GENERATION, print(OPEN)).replace(END_GENERATION, print(CLOSE));
}

function attempt(render: () => string): string | undefined {
  try {
    return render();
  } catch {
    return undefined;
  }
}
