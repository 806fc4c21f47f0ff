// Random order from the sdk's generator: the same seed and purpose, the same order.
import { randomStream } from '@lmflow/sdk';

export function shuffled<T>(list: readonly T[], ...purpose: readonly (string | number)[]): T[] {
  const order = randomStream(42, 'domain-adaptation', ...purpose).permutation(list.length);
  return Array.from(order, (index) => list[index]!);
}

/** Deals a list in random order, again and again. */
export class Deck<T> {
  #left: T[] = [];
  #round = 0;

  constructor(
    private readonly list: readonly T[],
    private readonly purpose: string,
  ) {}

  next(): T {
    if (this.#left.length === 0) this.#left = shuffled(this.list, this.purpose, this.#round++);
    return this.#left.pop()!;
  }
}
