// Where the answers are in a rendered conversation: the characters to train. Works for templates
// without {% generation %} by watching what the template does, and gives the answer with what ends
// its turn, never the role's header.
import { textOf, type ChatMessage, type Tokenizer, type TrainedAnswers } from '@lmflow/sdk';
import { AnswerSearch, type Conversation, type Span, type TemplateFacts } from './answer-search.ts';
import { hasMarks, markGeneration, readMarks } from './generation-marks.ts';
import { SpecialTokens } from './special-tokens.ts';

/** A conversation as text, with the spans to train, in order and apart from each other. */
export interface RenderedConversation {
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

/** Finds answers in what one tokenizer's chat template makes of conversations. */
export class SpanFinder {
  private readonly facts: TemplateFacts;
  private readonly template: string;
  private readonly marked: string | undefined;

  constructor(tokenizer: Tokenizer, specials = new SpecialTokens(tokenizer)) {
    this.facts = { tokenizer, specials, hasHeader: printsHeader(tokenizer) };
    this.template = tokenizer.chatTemplate ?? '';
    this.marked = markGeneration(this.template);
  }

  /**
   * Renders a conversation and gives the spans of the answers that are trained: of all, or of the
   * last one, but for those with `weight: 0`. Throws SpanError, and whatever the template throws.
   */
  find(conversation: Conversation, answers: TrainedAnswers = 'all'): RenderedConversation {
    const places = conversation.messages.flatMap(({ role }, index) =>
      role === 'assistant' ? [index] : [],
    );
    const chosen = answers === 'last' ? places.slice(-1) : places;
    return this.byMarks(conversation, places, chosen) ?? this.byWatching(conversation, chosen);
  }

  /** {% generation %} as the template's author set it, stretched over what ends the turn. */
  private byMarks(
    { messages, tools }: Conversation,
    places: readonly number[],
    chosen: readonly number[],
  ): RenderedConversation | undefined {
    if (this.marked === undefined) return undefined;
    if (messages.some((message) => hasMarks(textOf(message.content)))) return undefined;
    const { tokenizer } = this.facts;
    let rendered: string;
    try {
      tokenizer.chatTemplate = this.marked;
      rendered = tokenizer.render(messages, tools ? { tools } : {});
    } finally {
      tokenizer.chatTemplate = this.template;
    }
    const { text, marks } = readMarks(rendered);
    if (marks.length !== places.length || marks.some(([, end]) => end < 0)) return undefined;
    const spans = marks
      .filter((_, answer) => {
        const place = places[answer]!;
        return chosen.includes(place) && isTrained(messages[place]!);
      })
      .map(([start, end]): Span => [start, this.turnEnd(text, end)]);
    return { text, spans };
  }

  /** Answer by answer: what the template prints where it is there, and where it is not. */
  private byWatching(conversation: Conversation, chosen: readonly number[]): RenderedConversation {
    const search = new AnswerSearch(conversation, this.facts);
    const spans: Span[] = [];
    let from = 0;
    for (const place of chosen) {
      const span = search.span(place, from);
      if (!span || span[0] < from) throw new SpanError(place);
      from = span[1];
      if (isTrained(conversation.messages[place]!)) spans.push(span);
    }
    return { text: search.text, spans };
  }

  /** The end of a marked answer, moved behind a special token that follows it. */
  private turnEnd(text: string, end: number): number {
    const rest = text.slice(end, end + 64);
    const { tokenizer, specials } = this.facts;
    const { ids, offsets } = tokenizer.encode(rest);
    for (let token = 0; token < ids.length; token++) {
      const piece = rest.slice(offsets[2 * token], offsets[2 * token + 1]);
      if (specials.has(ids[token]!)) return end + offsets[2 * token + 1]!;
      if (piece.trim() !== '') return end;
    }
    return end;
  }
}

/** Whether an answer is to be trained: `weight: 0` switches it off. */
const isTrained = (answer: ChatMessage): boolean => answer['weight'] !== 0;

/**
 * Whether the template prints something for addGenerationPrompt. Where it does, everything after
 * that is the model's to say.
 */
function printsHeader(tokenizer: Tokenizer): boolean {
  const question = [{ role: 'user', content: 'x' }];
  try {
    return tokenizer.render(question, { addGenerationPrompt: true }) !== tokenizer.render(question);
  } catch {
    return false;
  }
}
