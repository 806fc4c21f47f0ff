// Pieces on their way from the decoding loop to whoever reads them.

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

  /** The next piece, when there is one; rejects after a failure. */
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
