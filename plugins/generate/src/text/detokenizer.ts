// From tokens to text, token by token: what comes out is never changed by a later token, and never
// half a character. A few tokens before are decoded along, because many decoders treat a first
// token specially (the space before a word).
import type { Tokenizer } from '@lmflow/sdk';

/** Tokens of the prompt that the first ones of the answer are decoded with. */
const CONTEXT = 6;
/** A character has at most four bytes, so more tokens than this cannot belong to one. */
const LONGEST = 4;

export class Detokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #skipSpecialTokens: boolean;
  /** Tokens that are decoded along: groups, each of which ends with a whole character. */
  #before: (readonly number[])[];
  /** Tokens that came since a character was complete. */
  #open: number[] = [];
  /** How many of them have added nothing yet. */
  #silent = 0;
  #told: string;

  constructor(tokenizer: Tokenizer, prompt: ArrayLike<number>, skipSpecialTokens: boolean) {
    this.#tokenizer = tokenizer;
    this.#skipSpecialTokens = skipSpecialTokens;
    this.#before = [this.#tail(prompt)];
    this.#told = this.#decode();
  }

  /** The text that a token completes; empty while a character is not. */
  push(id: number): string {
    this.#open.push(id);
    this.#silent += 1;
    const text = this.#decode();
    const whole = this.#silent < LONGEST ? text.replace(/\uFFFD+$/, '') : text;
    const added = this.#beyond(whole);
    if (added !== '') this.#silent = 0;
    if (whole.length === text.length) this.#close();
    else if (added !== '') this.#told = whole;
    return added;
  }

  /** What is left at the end: bytes of an unfinished character, as U+FFFD. */
  end(): string {
    return this.#open.length === 0 ? '' : this.#beyond(this.#decode());
  }

  // A prompt may end in the middle of a character, which then changes.
  #beyond(text: string): string {
    const { length } = this.#told;
    if (text.startsWith(this.#told)) return text.slice(length);
    let same = 0;
    while (same < length && text[same] === this.#told[same]) same++;
    return text.slice(same);
  }

  #close(): void {
    this.#before.push(this.#open);
    this.#open = [];
    this.#silent = 0;
    const count = (groups: readonly (readonly number[])[]): number =>
      groups.reduce((total, group) => total + group.length, 0);
    while (this.#before.length > 1 && count(this.#before.slice(1)) >= CONTEXT) this.#before.shift();
    this.#told = this.#decode();
  }

  /** The prompt's last tokens, from where a character begins. */
  #tail(prompt: ArrayLike<number>): readonly number[] {
    const all = Array.from(prompt);
    for (let count = CONTEXT; count < CONTEXT + LONGEST; count++) {
      const tail = all.slice(-count);
      if (!this.#tokenizer.decode(tail).startsWith('\uFFFD')) return tail;
    }
    return all.slice(-CONTEXT);
  }

  #decode(): string {
    return this.#tokenizer.decode([...this.#before.flat(), ...this.#open], {
      skipSpecialTokens: this.#skipSpecialTokens,
    });
  }
}
