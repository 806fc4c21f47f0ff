// Reads tool calls out of a text while it streams: JSON between <tool_call> and </tool_call> (see toolformat.ts).
import { randomUUID } from 'node:crypto';

export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';

/** Splits a streamed text into plain text and calls. What does not parse, or names no known function, stays text. */
export class ToolCallReader {
  readonly #names: ReadonlySet<string>;
  #held = '';
  #called = false;

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  /** Whether there was a call. */
  get called(): boolean { return this.#called; }

  /** Takes a piece; gives what is certain by now. `last` lets everything out. */
  push(piece: string, last: boolean): { text: string; calls: ToolCall[] } {
    this.#held += piece;
    let text = '';
    const calls: ToolCall[] = [];
    for (;;) {
      const open = this.#held.indexOf(OPEN);
      if (open < 0) break;
      const close = this.#held.indexOf(CLOSE, open);
      // a text that ends inside a call may be complete but for the closing tag (it can be a stop token)
      if (close < 0 && !last) {
        const certain = this.#held.slice(0, open).trimEnd().length;
        text += this.#held.slice(0, certain);
        this.#held = this.#held.slice(certain);
        return { text: this.#clean(text), calls };
      }
      const end = close < 0 ? this.#held.length : close;
      const call = this.#parse(this.#held.slice(open + OPEN.length, end));
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

  #parse(json: string): ToolCall | undefined {
    let value: unknown;
    try {
      value = JSON.parse(json);
    } catch {
      return undefined;
    }
    const { name, arguments: given } = (value ?? {}) as { name?: unknown; arguments?: unknown };
    if (typeof name !== 'string' || !this.#names.has(name) || typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
    return { id: `call_${randomUUID().replaceAll('-', '')}`, type: 'function', function: { name, arguments: JSON.stringify(given) } };
  }
}

/** How much of the end could be the beginning of a tag, with the white space before it. */
function heldBack(text: string): number {
  let tag = Math.min(OPEN.length - 1, text.length);
  while (tag > 0 && !OPEN.startsWith(text.slice(text.length - tag))) tag--;
  const before = text.slice(0, text.length - tag);
  return tag + before.length - before.trimEnd().length;
}
