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
  /** The template's {% generation %} tags say what is trained: exactly that, nothing beside. */
  readonly tagged: boolean;
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

  /** What the template's author put between {% generation %} and {% endgeneration %}. */
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
    if (marks.some(([, end]) => end < 0)) return undefined;
    const wanted = places.map((place) => chosen.includes(place) && isTrained(messages[place]!));
    if (wanted.every(Boolean)) return { text, spans: marks, tagged: true };
    // one pair of tags for each answer, or it is not known which of them a pair belongs to
    if (marks.length !== places.length) return undefined;
    return { text, spans: marks.filter((_, answer) => wanted[answer]), tagged: true };
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
    return { text: search.text, spans, tagged: false };
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
