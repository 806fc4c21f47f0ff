// `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, anywhere in an answer: Hermes 2 Pro,
// Qwen 2.5, Qwen 3.
import type { ToolCall, ToolCallFormat, ToolCallReader } from '@lmflow/sdk';
import { callId, parsedJson, toolCall, writesKey } from './call.ts';

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';

class TaggedCallReader implements ToolCallReader {
  readonly #functions: ReadonlySet<string>;
  #held = '';
  #called = false;

  constructor(functions: ReadonlySet<string>) {
    this.#functions = functions;
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
        text += this.#release(this.#held.slice(0, open).trimEnd().length);
        return { text: this.#clean(text), calls };
      }
      const end = close < 0 ? this.#held.length : close;
      const value = parsedJson(this.#held.slice(open + OPEN.length, end));
      const call = toolCall({ value, argumentsKey: 'arguments', id: callId() }, this.#functions);
      const after = close < 0 ? end : end + CLOSE.length;
      const tagged = this.#release(after);
      text += call ? tagged.slice(0, open) : tagged;
      if (call) {
        text = text.trimEnd();
        this.#called = true;
        calls.push(call);
      }
    }
    text += this.#release(this.#held.length - (last ? 0 : heldBack(this.#held)));
    return { text: this.#clean(text), calls };
  }

  /** Takes the first characters out of what is held. */
  #release(length: number): string {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return text;
  }

  /** White space between calls is not an answer. */
  #clean(text: string): string {
    return this.#called && text.trim() === '' ? '' : text;
  }
}

/** How much of the end could be the beginning of a tag, with the white space before it. */
function heldBack(text: string): number {
  let tag = Math.min(OPEN.length - 1, text.length);
  while (tag > 0 && !OPEN.startsWith(text.slice(text.length - tag))) tag--;
  const before = text.slice(0, text.length - tag);
  return tag + before.length - before.trimEnd().length;
}

/** JSON between tags. */
export const hermes: ToolCallFormat = {
  name: 'hermes',
  description: 'JSON between <tool_call> and </tool_call>',
  matches: (template) =>
    template.includes(OPEN) &&
    !template.includes('<function=') &&
    !template.includes('<arg_key>') &&
    writesKey(template, 'name') &&
    writesKey(template, 'arguments'),
  reader: (functions) => new TaggedCallReader(functions),
};
