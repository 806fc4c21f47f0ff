// A queue of the pieces that the decoding loop makes and a stream reads.

export class PieceQueue<T> {
  readonly #pieces: T[] = [];
  #wake: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;

  push(piece: T): void {
    this.#pieces.push(piece);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  /** Waits for the next piece; rejects after a failure, once the pieces before it are read. */
  async next(): Promise<T> {
    while (this.#pieces.length === 0) {
      if (this.#failure) throw this.#failure.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#pieces.shift()!;
  }
}
