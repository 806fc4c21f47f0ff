// Who may decode: strictly first come, first served, up to so many sequences at once.
import { queueFull, shuttingDown, type Failure } from './failure.ts';

interface Waiting {
  readonly weight: number;
  readonly admit: () => void;
  readonly reject: (failure: Failure) => void;
}

export class Turns {
  readonly #slots: number;
  readonly #mostWaiting: number;
  readonly #waiting: Waiting[] = [];
  #used = 0;
  #requests = 0;
  #closed = false;
  /** Running mean of what a request takes, in seconds, for Retry-After. */
  #meanSeconds = 1;

  constructor(slots: number, mostWaiting: number) {
    this.#slots = slots;
    this.#mostWaiting = mostWaiting;
  }

  get waiting(): number { return this.#waiting.length; }
  /** Sequences being decoded. */
  get running(): number { return this.#used; }
  /** Requests that have a turn. */
  get requests(): number { return this.#requests; }

  /** Waits for `weight` of the slots (at most all of them); gives what ends the turn. Rejects with a Failure: 429 at once, 503 at close, or the signal's reason. */
  async take(weight: number, signal: AbortSignal): Promise<() => void> {
    if (this.#closed) throw shuttingDown();
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || this.#used + weight > this.#slots) await this.#wait(weight, signal);
    else this.#begin(weight);
    const start = performance.now();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#used -= weight;
      this.#requests--;
      this.#meanSeconds += 0.1 * ((performance.now() - start) / 1000 - this.#meanSeconds);
      this.#admit();
    };
  }

  /** Sends everybody who waits away. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(shuttingDown());
  }

  #begin(weight: number): void {
    this.#used += weight;
    this.#requests++;
  }

  #wait(weight: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#mostWaiting) throw queueFull(Math.min(60, Math.max(1, Math.ceil((this.#meanSeconds * (this.#waiting.length + 1)) / this.#slots))));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const place = this.#waiting.indexOf(entry);
        if (place >= 0) this.#waiting.splice(place, 1);
        reject(signal.reason as Failure);
        this.#admit();
      };
      const entry: Waiting = {
        weight,
        admit: () => { signal.removeEventListener('abort', leave); this.#begin(weight); resolve(); },
        reject: (failure) => { signal.removeEventListener('abort', leave); reject(failure); },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(entry);
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#used + next.weight <= this.#slots; next = this.#waiting[0]) {
      this.#waiting.shift();
      next.admit();
    }
  }
}
