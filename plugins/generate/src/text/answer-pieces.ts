// Turns the tokens of one sequence into pieces of text as they come, up to a stop string. Which
// tokens come is not decided here.
import type { ChosenToken, FinishReason, TextPiece, Tokenizer } from '@lmflow/sdk';
import type { Choice } from '../sampling/chooser.ts';
import type { DecodingConfig } from '../decoding-config.ts';
import { Detokenizer } from './detokenizer.ts';
import { StopStrings } from './stop-strings.ts';

interface PendingToken extends ChosenToken {
  /** Where its text begins in the answer. */
  readonly start: number;
}

export class AnswerPieces {
  readonly #index: number;
  readonly #detokenizer: Detokenizer;
  readonly #stop: StopStrings;
  /** Tokens that are in no piece yet. */
  #pending: PendingToken[] = [];
  /** Characters decoded, and those of them that are in a piece. */
  #decoded = 0;
  #released = 0;
  #stopped = false;

  constructor(
    tokenizer: Tokenizer,
    prompt: ArrayLike<number>,
    config: DecodingConfig,
    index: number,
  ) {
    this.#index = index;
    this.#detokenizer = new Detokenizer(tokenizer, prompt, config.skipSpecialTokens);
    this.#stop = new StopStrings(config.stop);
  }

  /** Whether a stop string ended it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a token; returns the piece that it completes, if any. */
  push(choice: Choice): TextPiece | undefined {
    const text = this.#detokenizer.push(choice.id);
    this.#pending.push({ ...choice, text, start: this.#decoded });
    this.#decoded += text.length;
    const ready = this.#stop.push(text);
    this.#stopped = ready.stopped;
    if (ready.text === '') return undefined;
    this.#released += ready.text.length;
    return {
      index: this.#index,
      text: ready.text,
      tokens: this.#take((token) => token.start + token.text.length <= this.#released),
    };
  }

  /** The last piece. */
  end(finishReason: FinishReason): TextPiece {
    if (this.#stopped) {
      return {
        index: this.#index,
        text: '',
        tokens: this.#take((token) => token.start < this.#released),
        finishReason,
      };
    }
    const left = this.#detokenizer.end();
    const ready = this.#stop.push(left);
    return {
      index: this.#index,
      text: ready.stopped ? ready.text : ready.text + this.#stop.end(),
      tokens: this.#take(() => true),
      finishReason,
    };
  }

  #take(ready: (token: PendingToken) => boolean): ChosenToken[] {
    const count = this.#pending.findIndex((token) => !ready(token));
    const taken = this.#pending.splice(0, count < 0 ? this.#pending.length : count);
    return taken.map(({ start: _start, ...token }) => token);
  }
}
