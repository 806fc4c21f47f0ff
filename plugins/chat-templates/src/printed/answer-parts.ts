// What an answer consists of that is to be learned: its text, its reasoning, its calls. How a
// template writes them is not known here.
import { textOf, type ChatMessage } from '@lmflow/sdk';

/** An answer in parts; each text is one that must be found in what was printed. */
export interface AnswerParts {
  readonly text: readonly string[];
  readonly reasoning: readonly string[];
  readonly calls: readonly CallParts[];
}

/** A call: its function, and the values that it is given with their keys. */
export interface CallParts {
  readonly name: string;
  readonly arguments: unknown;
}

/** What models put around their reasoning, inside of an answer's content. */
const TAGS: readonly (readonly [open: string, close: string])[] = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<reasoning>', '</reasoning>'],
  ['[THINK]', '[/THINK]'],
];

/** Keys of a message that hold its reasoning, under the names that data sets and servers use. */
export const REASONING_KEYS: readonly string[] = ['reasoning_content', 'reasoning', 'thinking'];

/** Takes an answer apart. */
export function answerParts(answer: ChatMessage): AnswerParts {
  const { text, reasoning } = withoutReasoning(textOf(answer.content));
  const own = REASONING_KEYS.flatMap((key) => {
    const value = answer[key];
    return typeof value === 'string' ? [value] : [];
  });
  const calls = answer['tool_calls'];
  return {
    text: said(text),
    reasoning: said([...own, ...reasoning]),
    calls: Array.isArray(calls) ? calls.flatMap(callParts) : [],
  };
}

const said = (texts: readonly string[]): string[] => texts.filter((text) => text.trim() !== '');

function callParts(call: unknown): CallParts[] {
  const { function: called = call } = (call ?? {}) as { readonly function?: unknown };
  const { name, arguments: values } = (called ?? {}) as Readonly<Record<string, unknown>>;
  return typeof name === 'string' ? [{ name, arguments: values }] : [];
}

/** A content's reasoning, and what stands around it. One that is opened by the prompt only ends. */
function withoutReasoning(content: string): { text: string[]; reasoning: string[] } {
  const text: string[] = [];
  const reasoning: string[] = [];
  let rest = content;
  for (;;) {
    const [tag] = TAGS.map((pair) => ({ pair, end: rest.indexOf(pair[1]) }))
      .filter(({ end }) => end >= 0)
      .sort((left, right) => left.end - right.end);
    if (!tag) break;
    const [open, close] = tag.pair;
    const start = rest.lastIndexOf(open, tag.end);
    text.push(start < 0 ? '' : rest.slice(0, start));
    reasoning.push(rest.slice(start < 0 ? 0 : start + open.length, tag.end));
    rest = rest.slice(tag.end + close.length);
  }
  return { text: [...text, rest], reasoning };
}
