// From a question and its examples to the prompt's text: plain, or messages behind a chat template,
// as lm-evaluation-harness puts them together.
import type { ChatMessage } from '@lmflow/sdk';
import { endsInSpace, startsWithSpace } from './python-text.ts';

/** A message, with what follows it in plain text. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
  readonly delimiter: string;
}

/** Messages instead of plain text. */
export interface ChatPrompts {
  /** The chat template's text, ready for the assistant to go on. */
  readonly render: (messages: readonly ChatMessage[]) => string;
  /** Examples are turns of their own; else they are in the one message of the user. */
  readonly multiturn: boolean;
}

/** What stands before all examples: a system message, or a text. */
export function systemTurns(
  instruction: string,
  description: string,
  fewshotDelimiter: string,
): readonly Turn[] {
  const isApart =
    instruction === '' ||
    description === '' ||
    endsInSpace(instruction) ||
    startsWithSpace(description);
  const content = instruction + (isApart ? '' : fewshotDelimiter) + description;
  return content === '' ? [] : [{ role: 'system', content, delimiter: '' }];
}

/** A question with its answer. */
export function exampleTurns(
  question: string,
  answer: string,
  delimiters: { readonly targetDelimiter: string; readonly fewshotDelimiter: string },
): readonly Turn[] {
  const { targetDelimiter, fewshotDelimiter } = delimiters;
  if (answer === '') return [questionTurn(question)];
  return [
    { role: 'user', content: question, delimiter: targetDelimiter },
    { role: 'assistant', content: answer, delimiter: fewshotDelimiter },
  ];
}

/** The question that the model is to answer. */
export function questionTurn(content: string): Turn {
  return { role: 'user', content, delimiter: '' };
}

/** The prompt's text. */
export function promptOf(turns: readonly Turn[], chat: ChatPrompts | undefined): string {
  if (chat === undefined) return plainText(turns);
  if (chat.multiturn) return chat.render(turns.map(messageOf));
  const system = turns.filter(({ role }) => role === 'system');
  const others = turns.filter(({ role }) => role !== 'system');
  return chat.render([...system.map(messageOf), { role: 'user', content: plainText(others) }]);
}

function plainText(turns: readonly Turn[]): string {
  return turns.map(({ content, delimiter }) => content + delimiter).join('');
}

function messageOf({ role, content }: Turn): ChatMessage {
  return { role, content };
}
