// Formats in which calls are the whole answer. One that begins as calls do is held back until its
// end.
import type { ToolCall, ToolCallReader } from '@lmflow/sdk';
import { toolCall } from './call.ts';

/** How such a format writes calls. */
export interface WholeAnswerSyntax {
  /** Stands before them. It is often a special token, which is no part of the text. */
  readonly marker: string;
  /** The character that calls begin with. */
  readonly opening: string;
  readonly argumentsKey: string;
  /** The calls' values; undefined where the text is none. */
  readonly split: (text: string) => readonly unknown[] | undefined;
  readonly id: () => string;
}

/** Reads an answer that is calls and nothing else, or plain text. */
export class WholeAnswerReader implements ToolCallReader {
  readonly #syntax: WholeAnswerSyntax;
  readonly #functions: ReadonlySet<string>;
  #held: string | undefined = '';
  #called = false;

  constructor(syntax: WholeAnswerSyntax, functions: ReadonlySet<string>) {
    this.#syntax = syntax;
    this.#functions = functions;
  }

  get called(): boolean {
    return this.#called;
  }

  push(piece: string, last: boolean): { text: string; calls: readonly ToolCall[] } {
    if (this.#held === undefined) return { text: piece, calls: [] };
    const { marker, opening } = this.#syntax;
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
    const calls = last && inside.startsWith(opening) ? this.#calls(inside) : [];
    if (calls.length === 0) return { text, calls };
    this.#called = true;
    return { text: '', calls };
  }

  /** The calls of a whole answer; none where any of them is none. */
  #calls(text: string): readonly ToolCall[] {
    const { argumentsKey, split, id } = this.#syntax;
    const calls = (split(text) ?? []).map((value) =>
      toolCall({ value, argumentsKey, id: id() }, this.#functions),
    );
    return calls.every((call) => call !== undefined) ? calls : [];
  }
}
