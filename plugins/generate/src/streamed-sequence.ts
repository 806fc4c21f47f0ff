// One sequence of a request between the scheduler, which decodes it, and the stream, which reads its
// pieces.
import type { FinishReason, RequestSettings, TextPiece } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { PieceQueue } from './piece-queue.ts';
import { Chooser } from './sampling/chooser.ts';
import type { LogitsProcessor } from './sampling/processor.ts';
import type { Sequence } from './scheduler.ts';
import type { Settings } from './settings.ts';
import { Answer } from './text/answer.ts';

/** A request with everything decided. */
export interface PreparedRequest {
  readonly model: Model;
  readonly prompt: Int32Array;
  /** maxNewTokens is at most what the context has left. */
  readonly settings: Settings;
  /** What the request sets for plugins, checked. */
  readonly forPlugins: RequestSettings;
  /** What plugins do to logits. */
  readonly process: LogitsProcessor | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Puts the pieces of one sequence into the queue of its request, the last one with its reason. */
export class StreamedSequence implements Sequence {
  readonly prompt: Int32Array;
  readonly chooser: Chooser;
  readonly #answer: Answer;
  readonly #queue: PieceQueue<TextPiece>;
  #read = 0;
  #open = true;

  /** `index`: which of numReturnSequences. */
  constructor(
    { model, prompt, settings, forPlugins, process }: PreparedRequest,
    index: number,
    queue: PieceQueue<TextPiece>,
  ) {
    this.prompt = prompt;
    this.#queue = queue;
    this.#answer = new Answer(model.tokenizer, prompt, settings, index);
    this.chooser = new Chooser(settings, prompt, index, {
      settings: forPlugins,
      process,
      onFailure: (error) => {
        this.onFailure(error);
      },
    });
  }

  wanted(): boolean {
    return this.#open;
  }

  onTokens(): void {
    const { choices } = this.chooser;
    while (this.#open && this.#read < choices.length) {
      const piece = this.#answer.push(choices[this.#read++]!);
      if (piece) this.#queue.push(piece);
      if (this.#answer.stopped) this.finish('stop');
    }
    if (this.chooser.ended) this.finish(this.chooser.atEnd ? 'stop' : 'length');
  }

  onFailure(error: unknown): void {
    this.leave();
    this.#queue.fail(error);
  }

  /** Gives the last piece, unless it was given. */
  finish(reason: FinishReason): void {
    if (!this.#open) return;
    this.#open = false;
    this.#queue.push(this.#answer.end(reason));
  }

  /** Nobody reads it any more. */
  leave(): void {
    this.#open = false;
  }
}
