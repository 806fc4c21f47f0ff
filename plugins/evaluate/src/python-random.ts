// Python's random.Random(seed): the Mersenne Twister MT19937, seeded as CPython seeds it with an
// int, `sample` and `choices`. The examples of a prompt are so the ones that lm-evaluation-harness draws.
// Everything else here draws with `randomStream`.

const SIZE = 624;
const HALF = 397;

export class PythonRandom {
  readonly #state = new Uint32Array(SIZE);
  #next = SIZE;

  /** `seed` is a whole number from 0 to 2^32 - 1. */
  constructor(seed: number) {
    const state = this.#state;
    // init_genrand(19650218), then init_by_array([seed])
    state[0] = 19650218;
    for (let at = 1; at < SIZE; at++) {
      const before = state[at - 1]!;
      state[at] = Math.imul(1812433253, before ^ (before >>> 30)) + at;
    }
    let at = 1;
    const step = (factor: number, added: number): void => {
      const before = state[at - 1]!;
      state[at] = (state[at]! ^ Math.imul(before ^ (before >>> 30), factor)) + added;
      if (++at === SIZE) {
        state[0] = state[SIZE - 1]!;
        at = 1;
      }
    };
    for (let count = 0; count < SIZE; count++) step(1664525, seed);
    for (let count = 1; count < SIZE; count++) step(1566083941, -at);
    state[0] = 0x80000000;
  }

  /** `random.sample(range(length), count)`; `count` is at most `length`. */
  sample(length: number, count: number): number[] {
    const poolLimit = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
    if (length <= poolLimit) {
      const pool = Array.from({ length }, (_, index) => index);
      return Array.from({ length: count }, (_, drawn) => {
        const at = this.#below(length - drawn);
        const found = pool[at]!;
        pool[at] = pool[length - drawn - 1]!;
        return found;
      });
    }
    const drawn = new Set<number>();
    while (drawn.size < count) drawn.add(this.#below(length));
    return [...drawn];
  }

  /** `random.choices(range(length), k=length)` */
  choices(length: number): number[] {
    return Array.from({ length }, () => Math.floor(this.#uniform() * length));
  }

  /** `random.random()` */
  #uniform(): number {
    const high = this.#word() >>> 5;
    return (high * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  #below(bound: number): number {
    const bits = 32 - Math.clz32(bound);
    for (;;) {
      const number = this.#word() >>> (32 - bits);
      if (number < bound) return number;
    }
  }

  #word(): number {
    if (this.#next === SIZE) this.#twist();
    let word = this.#state[this.#next++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let at = 0; at < SIZE; at++) {
      const mixed = (state[at]! & 0x80000000) | (state[(at + 1) % SIZE]! & 0x7fffffff);
      state[at] = state[(at + HALF) % SIZE]! ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}
