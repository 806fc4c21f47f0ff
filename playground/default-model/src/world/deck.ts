// A list dealt in random order, again and again: everything comes up equally often.
import type { Draw } from './random.ts';

export class Deck<T> {
  #left: T[] = [];

  constructor(
    private readonly list: readonly T[],
    private readonly draw: Draw,
  ) {}

  next(): T {
    if (this.#left.length === 0) this.#left = this.draw.shuffled(this.list);
    return this.#left.pop()!;
  }
}
