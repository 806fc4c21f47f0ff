// One sequence of a request: the scheduler decodes it, and the request's stream reads its pieces.
import type { FinishReason, RequestSettings, TextPiece } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { PieceQueue } from './piece-queue.ts';
import { Chooser } from './sampling/chooser.ts';
import type { LogitsProcessor } from './sampling/processor.ts';
import type { Sequence } from './scheduler.ts';
import type { DecodingConfig } from './decoding-config.ts';
import { AnswerPieces } from './text/answer-pieces.ts';

/** A request, checked and with every option's value. */
export interface PreparedRequest {
  readonly model: Model;
  readonly prompt: Int32Array;
  /** maxNewTokens is at most the room that the prompt leaves in the context. */
  readonly config: DecodingConfig;
  /** What the request sets for plugins, checked by their schemas. */
  readonly settings: RequestSettings;
  /** The taps of onLogits; undefined where there are none. */
  readonly process: LogitsProcessor | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Puts the pieces of one sequence into the queue of its request, the last one with its reason. */
export class StreamedSequence implements Sequence {
  readonly prompt: Int32Array;
  readonly chooser: Chooser;
  readonly #answer: AnswerPieces;
  readonly #queue: PieceQueue<TextPiece>;
  #read = 0;
  #open = true;

  /** `index` is the sequence's among numReturnSequences. */
  constructor(
    { model, prompt, config, settings, process }: PreparedRequest,
    index: number,
    queue: PieceQueue<TextPiece>,
  ) {
    this.prompt = prompt;
    this.#queue = queue;
    this.#answer = new AnswerPieces(model.tokenizer, prompt, config, index);
    this.chooser = new Chooser(config, prompt, index, {
      settings,
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

  /** Pushes the last piece, once. */
  finish(reason: FinishReason): void {
    if (!this.#open) return;
    this.#open = false;
    this.#queue.push(this.#answer.end(reason));
  }

  /** Ends it without a last piece: nobody reads it any more. */
  leave(): void {
    this.#open = false;
  }
}
