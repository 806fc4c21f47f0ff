// The text of one sequence as it grows: tokens become pieces, with those of a stop string left out.
import type { ChosenToken, FinishReason, TextPiece, Tokenizer } from '@lmflow/sdk';
import type { Choice } from '../sampling/chooser.ts';
import type { Settings } from '../settings.ts';
import { Detokenizer } from './detokenizer.ts';
import { StopStrings } from './stop.ts';

interface Waiting extends ChosenToken {
  /** Where its text begins. */ readonly start: number;
}

export class Answer {
  readonly #index: number;
  readonly #detokenizer: Detokenizer;
  readonly #stop: StopStrings;
  /** Tokens whose text is not told yet. */
  #waiting: Waiting[] = [];
  #decoded = 0;
  #told = 0;
  #stopped = false;

  constructor(tokenizer: Tokenizer, prompt: ArrayLike<number>, settings: Settings, index: number) {
    this.#index = index;
    this.#detokenizer = new Detokenizer(tokenizer, prompt, settings.skipSpecialTokens);
    this.#stop = new StopStrings(settings.stop);
  }

  /** Whether a stop string ended it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a token; gives the piece it makes ready, if any. */
  push(choice: Choice): TextPiece | undefined {
    const text = this.#detokenizer.push(choice.id);
    this.#waiting.push({ ...choice, text, start: this.#decoded });
    this.#decoded += text.length;
    const ready = this.#stop.push(text);
    this.#stopped = ready.stopped;
    if (ready.text === '') return undefined;
    this.#told += ready.text.length;
    return {
      index: this.#index,
      text: ready.text,
      tokens: this.#take((token) => token.start + token.text.length <= this.#told),
    };
  }

  /** The last piece. */
  end(finishReason: FinishReason): TextPiece {
    if (this.#stopped) {
      return {
        index: this.#index,
        text: '',
        tokens: this.#take((token) => token.start < this.#told),
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

  #take(ready: (token: Waiting) => boolean): ChosenToken[] {
    const count = this.#waiting.findIndex((token) => !ready(token));
    const taken = this.#waiting.splice(0, count < 0 ? this.#waiting.length : count);
    return taken.map(({ start: _start, ...token }) => token);
  }
}
