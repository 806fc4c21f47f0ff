// Draws one after another from the sdk's counter-based generator: the same seed, the same text.
import { randomStream, type RandomStream } from '@lmflow/sdk';

export class Draw {
  readonly #stream: RandomStream;
  #index = 0;

  constructor(seed: number, purpose: string) {
    this.#stream = randomStream(seed, 'default-model', purpose);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  one<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!;
  }

  /** So many different elements, in random order. */
  some<T>(list: readonly T[], count: number): T[] {
    return this.shuffled(list).slice(0, count);
  }

  shuffled<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.between(0, last);
      [result[last], result[other]] = [result[other]!, result[last]!];
    }
    return result;
  }

  #next(): number {
    return this.#stream.uniform(this.#index++);
  }
}
