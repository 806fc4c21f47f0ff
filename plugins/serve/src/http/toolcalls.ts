// Reads tool calls out of a text while it streams (see toolformat.ts for the ways they are
// written).
import { randomBytes, randomUUID } from 'node:crypto';
import type { ToolFormat } from '../toolformat.ts';

export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

/**
 * Splits a streamed text into plain text and calls. What does not parse, or names no known
 * function, stays text.
 */
export interface ToolCallReader {
  /** Whether there was a call. */
  readonly called: boolean;
  /** Takes a piece; gives what is certain by now. `last` lets everything out. */
  push(piece: string, last: boolean): { text: string; calls: ToolCall[] };
}

/** A reader of one answer; `names` are the functions that were given. */
export function toolCallReader(format: ToolFormat, names: readonly string[]): ToolCallReader {
  return format === 'hermes'
    ? new TaggedCalls(new Set(names))
    : new WholeAnswer(WHOLE[format], new Set(names));
}

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';

/** Calls between tags, anywhere in the text. */
class TaggedCalls implements ToolCallReader {
  readonly #names: ReadonlySet<string>;
  #held = '';
  #called = false;

  constructor(names: ReadonlySet<string>) {
    this.#names = names;
  }

  get called(): boolean {
    return this.#called;
  }

  push(piece: string, last: boolean): { text: string; calls: ToolCall[] } {
    this.#held += piece;
    let text = '';
    const calls: ToolCall[] = [];
    for (;;) {
      const open = this.#held.indexOf(OPEN);
      if (open < 0) break;
      const close = this.#held.indexOf(CLOSE, open);
      // a text that ends inside a call may be complete but for the closing tag (it can be a stop
      // token)
      if (close < 0 && !last) {
        const certain = this.#held.slice(0, open).trimEnd().length;
        text += this.#held.slice(0, certain);
        this.#held = this.#held.slice(certain);
        return { text: this.#clean(text), calls };
      }
      const end = close < 0 ? this.#held.length : close;
      const call = callOf(
        parsed(this.#held.slice(open + OPEN.length, end)),
        'arguments',
        this.#names,
        callId(),
      );
      const after = close < 0 ? end : end + CLOSE.length;
      text += this.#held.slice(0, call ? open : after);
      if (call) {
        text = text.trimEnd();
        this.#called = true;
        calls.push(call);
      }
      this.#held = this.#held.slice(after);
    }
    const keep = last ? 0 : heldBack(this.#held);
    text += this.#held.slice(0, this.#held.length - keep);
    this.#held = this.#held.slice(this.#held.length - keep);
    return { text: this.#clean(text), calls };
  }

  /** White space between calls is not an answer. */
  #clean(text: string): string {
    return this.#called && text.trim() === '' ? '' : text;
  }
}

/**
 * A way of writing calls that the whole answer is. The marker before them is often a special token,
 * which is no part of the text.
 */
interface Whole {
  readonly marker: string;
  readonly opening: string;
  /** The key of the arguments. */
  readonly key: string;
  readonly split: (text: string) => readonly unknown[] | undefined;
  readonly id: () => string;
}

const callId = (): string => `call_${randomUUID().replaceAll('-', '')}`;

const WHOLE: Readonly<Record<Exclude<ToolFormat, 'hermes'>, Whole>> = {
  llama: {
    marker: '<|python_tag|>',
    opening: '{',
    key: 'parameters',
    split: (text) => text.split(/(?<=\})\s*;\s*(?=\{)/).map(parsed),
    id: callId,
  },
  // Mistral's templates refuse other ids than those of nine letters and digits
  mistral: {
    marker: '[TOOL_CALLS]',
    opening: '[',
    key: 'arguments',
    split: (text) => {
      const list = parsed(text);
      return Array.isArray(list) ? list : undefined;
    },
    id: () => randomBytes(5).toString('hex').slice(1),
  },
};

/** The answer is calls and nothing else; one that begins as calls do is held back until its end. */
class WholeAnswer implements ToolCallReader {
  readonly #way: Whole;
  readonly #names: ReadonlySet<string>;
  #held: string | undefined = '';
  #called = false;

  constructor(way: Whole, names: ReadonlySet<string>) {
    this.#way = way;
    this.#names = names;
  }

  get called(): boolean {
    return this.#called;
  }

  push(piece: string, last: boolean): { text: string; calls: ToolCall[] } {
    if (this.#held === undefined) return { text: piece, calls: [] };
    const { marker, opening, key, split, id } = this.#way;
    const text = this.#held + piece;
    this.#held = text;
    const beginning = text.trimStart();
    const inside = (
      beginning.startsWith(marker) ? beginning.slice(marker.length) : beginning
    ).trim();
    if (!last && (marker.startsWith(beginning) || inside === '' || inside.startsWith(opening))) {
      return { text: '', calls: [] };
    }
    this.#held = undefined;
    const calls =
      last && inside.startsWith(opening)
        ? (split(inside)?.map((value) => callOf(value, key, this.#names, id())) ?? [])
        : [];
    if (calls.length === 0 || !calls.every((call) => call !== undefined)) {
      return { text, calls: [] };
    }
    this.#called = true;
    return { text: '', calls };
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function callOf(
  value: unknown,
  key: string,
  names: ReadonlySet<string>,
  id: string,
): ToolCall | undefined {
  const { name, [key]: given } = (value ?? {}) as { name?: unknown } & Record<string, unknown>;
  if (
    typeof name !== 'string' ||
    !names.has(name) ||
    typeof given !== 'object' ||
    given === null ||
    Array.isArray(given)
  ) {
    return undefined;
  }
  return { id, type: 'function', function: { name, arguments: JSON.stringify(given) } };
}

/** How much of the end could be the beginning of a tag, with the white space before it. */
function heldBack(text: string): number {
  let tag = Math.min(OPEN.length - 1, text.length);
  while (tag > 0 && !OPEN.startsWith(text.slice(text.length - tag))) tag--;
  const before = text.slice(0, text.length - tag);
  return tag + before.length - before.trimEnd().length;
}
