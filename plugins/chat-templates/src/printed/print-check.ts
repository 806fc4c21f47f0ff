// Compares what a template printed with what is to be trained: the text, the reasoning and the calls
// of answers, the tools of the prompt; and whether an answer begins where generation begins one.
import type { ChatMessage, Tokenizer } from '@lmflow/sdk';
import type { Conversation, Span } from '../spans/answer-search.ts';
import type { RenderedConversation } from '../spans/span-finder.ts';
import { answerParts } from './answer-parts.ts';
import { PrintedText } from './printed-text.ts';

/** What can be missing; `earlier` is what templates leave out of the turns before the last question. */
export type MissingKind =
  'text' | 'reasoning' | 'earlierReasoning' | 'calls' | 'tools' | 'start' | 'earlierStart';

/** Something that was meant to be trained and is not in what was printed. */
export interface MissingPart {
  readonly kind: MissingKind;
  /** Index of the message; absent for tools. */
  readonly message?: number;
  /** For starts: what stands before the answer in training, and in generation. */
  readonly starts?: readonly [trained: string, generated: string];
}

/** Characters of a start that are shown, before and behind where the two begin to differ. */
const SHOWN = 30;

/** Checks the renderings of one tokenizer's chat template. */
export class PrintCheck {
  private readonly tokenizer: Tokenizer;
  private readonly everything: boolean;

  /** With `everything` the prompt is trained too, so that its text must be there. */
  constructor(
    tokenizer: Tokenizer,
    { everything = false }: { readonly everything?: boolean } = {},
  ) {
    this.tokenizer = tokenizer;
    this.everything = everything;
  }

  /** What is missing of a conversation. */
  missing(conversation: Conversation, rendered: RenderedConversation): MissingPart[] {
    const { messages, tools = [] } = conversation;
    const question = messages.findLastIndex(({ role }) => role === 'user');
    const found = rendered.trained.flatMap((message) => {
      const earlier = message < question;
      const spans = spansOf(rendered, message);
      const trained = new PrintedText(spans.map((span) => rendered.text.slice(...span)).join(''));
      const parts = missingParts(messages[message]!, message, earlier, trained);
      const start = spans[0] && this.missingStart(conversation, rendered.text, message, spans[0]);
      if (start) parts.push({ kind: earlier ? 'earlierStart' : 'start', message, starts: start });
      return parts;
    });
    const prompts = outside(rendered);
    if (rendered.trained.length > 0 && !hasTools(tools, prompts)) found.push({ kind: 'tools' });
    return this.everything ? [...found, ...missingPrompts(messages, rendered.text)] : found;
  }

  /** Both texts, where an answer begins behind another one than generation gives. */
  private missingStart(
    { messages, tools }: Conversation,
    text: string,
    message: number,
    [start]: Span,
  ): readonly [trained: string, generated: string] | undefined {
    if (message === 0) return undefined;
    let prompt: string;
    try {
      prompt = this.tokenizer.render(messages.slice(0, message), {
        ...(tools ? { tools } : {}),
        addGenerationPrompt: true,
      });
    } catch {
      // a template that refuses such a prompt gives generation none
      return undefined;
    }
    // what is trained may begin inside the prompt, and behind white space that the template prints
    if (text.startsWith(prompt) && text.slice(prompt.length, start).trim() === '') return undefined;
    return differing(text.slice(0, start), prompt);
  }
}

/** The spans of an answer; of all answers, where the template does not show which are whose. */
function spansOf({ spans, owners }: RenderedConversation, message: number): readonly Span[] {
  if (owners.includes(undefined)) return spans;
  return spans.filter((_, index) => owners[index] === message);
}

function missingParts(
  answer: ChatMessage,
  message: number,
  earlier: boolean,
  trained: PrintedText,
): MissingPart[] {
  const { text, reasoning, calls } = answerParts(answer);
  const has = (part: string): boolean => trained.hasText(part);
  const found: MissingPart[] = [];
  if (!text.every(has)) found.push({ kind: 'text', message });
  if (!reasoning.every(has)) {
    found.push({ kind: earlier ? 'earlierReasoning' : 'reasoning', message });
  }
  if (!trained.hasCalls(calls)) found.push({ kind: 'calls', message });
  return found;
}

/** The text of all other messages, where it is trained too. */
function missingPrompts(messages: readonly ChatMessage[], text: string): MissingPart[] {
  const all = new PrintedText(text);
  return messages.flatMap((message, index): MissingPart[] => {
    if (message.role === 'assistant') return [];
    // a template may print the parts of an Alpaca prompt apart
    const parts = [message['instruction'], message['input']].filter((part) => part !== undefined);
    const apart = parts.length > 0 && parts.every((part) => all.hasValue(part));
    const whole = answerParts(message).text.every((part) => all.hasText(part));
    return apart || whole ? [] : [{ kind: 'text', message: index }];
  });
}

/** Whether each tool's name and the names of its parameters stand in a text. */
function hasTools(tools: readonly unknown[], text: PrintedText): boolean {
  return tools.every((tool) => {
    const { function: described = tool } = (tool ?? {}) as { readonly function?: unknown };
    const { name, parameters } = (described ?? {}) as Readonly<Record<string, unknown>>;
    const { properties } = (parameters ?? {}) as { readonly properties?: unknown };
    const names = typeof properties === 'object' ? Object.keys(properties ?? {}) : [];
    return [name, ...names].every((word) => typeof word !== 'string' || text.hasText(word));
  });
}

/** What is not trained. */
function outside({ text, spans }: RenderedConversation): PrintedText {
  let end = 0;
  let rest = '';
  for (const span of spans) {
    rest += `${text.slice(end, span[0])}\n`;
    end = span[1];
  }
  return new PrintedText(rest + text.slice(end));
}

/** Both from shortly before where they differ. */
function differing(trained: string, generated: string): readonly [string, string] {
  let same = 0;
  while (same < trained.length && trained[same] === generated[same]) same++;
  const from = Math.max(0, same - SHOWN);
  return [trained.slice(from, same + SHOWN), generated.slice(from, same + SHOWN)];
}
