// Turns tokens into text one by one: no later token changes text that is out, and no character comes
// in halves. Some earlier tokens are decoded along, because many decoders treat the first token
// specially (they drop the space before a word).
import type { Tokenizer } from '@lmflow/sdk';

/** How many earlier tokens are decoded along. */
const CONTEXT = 6;
/** A character has at most four bytes, so it has at most this many tokens. */
const LONGEST = 4;

export class Detokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #skipSpecialTokens: boolean;
  /** Tokens that are decoded along, in groups that end with a whole character. */
  #before: (readonly number[])[];
  /** Tokens since the last whole character. */
  #open: number[] = [];
  /** How many of them have added no text yet. */
  #withoutText = 0;
  /** The text of `before` and `open` that is out. */
  #emitted: string;

  constructor(tokenizer: Tokenizer, prompt: ArrayLike<number>, skipSpecialTokens: boolean) {
    this.#tokenizer = tokenizer;
    this.#skipSpecialTokens = skipSpecialTokens;
    this.#before = [this.#tail(prompt)];
    this.#emitted = this.#decode();
  }

  /** The text that a token completes; empty in the middle of a character. */
  push(id: number): string {
    this.#open.push(id);
    this.#withoutText += 1;
    const text = this.#decode();
    const whole = this.#withoutText < LONGEST ? text.replace(/\uFFFD+$/, '') : text;
    const added = this.#beyond(whole);
    if (added !== '') this.#withoutText = 0;
    if (whole.length === text.length) this.#close();
    else if (added !== '') this.#emitted = whole;
    return added;
  }

  /** The rest at the end: bytes of an unfinished character, as U+FFFD. */
  end(): string {
    return this.#open.length === 0 ? '' : this.#beyond(this.#decode());
  }

  // Where the prompt ends in the middle of a character, its last characters change.
  #beyond(text: string): string {
    const { length } = this.#emitted;
    if (text.startsWith(this.#emitted)) return text.slice(length);
    let same = 0;
    while (same < length && text[same] === this.#emitted[same]) same++;
    return text.slice(same);
  }

  #close(): void {
    this.#before.push(this.#open);
    this.#open = [];
    this.#withoutText = 0;
    const count = (groups: readonly (readonly number[])[]): number =>
      groups.reduce((total, group) => total + group.length, 0);
    while (this.#before.length > 1 && count(this.#before.slice(1)) >= CONTEXT) this.#before.shift();
    this.#emitted = this.#decode();
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
