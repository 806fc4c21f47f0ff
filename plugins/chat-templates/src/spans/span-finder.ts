// Where the answers are in a rendered conversation: the characters to train. Works for templates
// without {% generation %} by watching what the template does, and gives the answer with what ends
// its turn, never the role's header.
import type { ChatMessage, RenderedChat, TaggedPart, Tokenizer, TrainedAnswers } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { templateName } from '../template-choice.ts';
import { AnswerSearch, type Conversation, type Span, type TemplateFacts } from './answer-search.ts';
import { SpecialTokens } from './special-tokens.ts';

/** A conversation as text, with the spans to train, in order and apart from each other. */
export interface RenderedConversation {
  readonly text: string;
  readonly spans: readonly Span[];
  /** For each span the index of its message; undefined where the template does not show it. */
  readonly owners: readonly (number | undefined)[];
  /** Indices of the messages that are to be trained, whether a span was found for them or not. */
  readonly trained: readonly number[];
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

  constructor(tokenizer: Tokenizer, specials = new SpecialTokens(tokenizer)) {
    this.facts = { tokenizer, specials, hasHeader: printsHeader(tokenizer) };
  }

  /**
   * Renders a conversation and gives the spans of the answers that are trained: of all, or of the
   * last one, but for those with `weight: 0`. Throws SpanError, LMFLOW_TEMPLATE_TAGS_HIDDEN, and
   * whatever the template throws.
   */
  find(conversation: Conversation, answers: TrainedAnswers = 'all'): RenderedConversation {
    const { messages, tools } = conversation;
    const places = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []));
    const chosen = answers === 'last' ? places.slice(-1) : places;
    const { tokenizer } = this.facts;
    const chat = tokenizer.renderTagged(messages, tools ? { tools } : {});
    if (!chat.hasTags) return this.byWatching(conversation, chat.text, chosen);
    if (chat.hiddenTags) throw errors.tagsHidden(templateName(tokenizer));
    const wanted = chosen.filter((place) => isTrained(messages[place]!));
    const all = ownedParts(chat, places);
    const parts = wanted.length === places.length ? all : ofMessages(all, places, wanted);
    return {
      text: chat.text,
      spans: parts.map(({ start, end }) => [start, end]),
      owners: parts.map(({ message }) => message),
      trained: wanted,
      tagged: true,
    };
  }

  /** Answer by answer: what the template prints where it is there, and where it is not. */
  private byWatching(
    conversation: Conversation,
    text: string,
    chosen: readonly number[],
  ): RenderedConversation {
    const search = new AnswerSearch(conversation, text, this.facts);
    const spans: Span[] = [];
    const trained: number[] = [];
    let from = 0;
    for (const place of chosen) {
      const span = search.span(place, from);
      if (!span || span[0] < from) throw new SpanError(place);
      from = span[1];
      if (!isTrained(conversation.messages[place]!)) continue;
      spans.push(span);
      trained.push(place);
    }
    return { text: search.text, spans, owners: trained, trained, tagged: false };
  }
}

/** The tagged parts with their messages. Where loops do not show them, parts stand for answers. */
function ownedParts({ tagged }: RenderedChat, places: readonly number[]): readonly TaggedPart[] {
  if (tagged.length !== places.length) return tagged;
  return tagged.map((part, index) => ({ ...part, message: part.message ?? places[index]! }));
}

/** The tagged parts of some answers. */
function ofMessages(
  parts: readonly TaggedPart[],
  places: readonly number[],
  wanted: readonly number[],
): TaggedPart[] {
  return parts.filter(({ message }) => {
    if (message === undefined) throw new SpanError(wanted[0] ?? places[0]!);
    return wanted.includes(message);
  });
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
