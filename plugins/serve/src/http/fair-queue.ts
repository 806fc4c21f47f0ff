// Limits the sequences that are decoded together. Among waiting requests, the client with the fewest
// running sequences is next, so that a hundred requests of one client do not delay another's single
// one. Requests of one client stay in order.
import { queueFull, shuttingDown, type Failure } from './failures.ts';

interface Waiting {
  readonly weight: number;
  readonly admit: () => void;
  readonly reject: (failure: Failure) => void;
}

interface Client {
  readonly waiting: Waiting[];
  /** Sequences being decoded. */
  running: number;
  /** Number of its last turn: of equal clients the one with the oldest turn is next. */
  last: number;
}

export class FairQueue {
  readonly #slots: number;
  readonly #longestQueue: number;
  /** Clients with waiting or running requests. */
  readonly #clients = new Map<string, Client>();
  #waiting = 0;
  #used = 0;
  #requests = 0;
  #turn = 0;
  #closed = false;
  /** Running mean of a request's duration in seconds, for Retry-After. */
  #meanSeconds = 1;

  constructor(slots: number, longestQueue: number) {
    this.#slots = slots;
    this.#longestQueue = longestQueue;
  }

  get waiting(): number {
    return this.#waiting;
  }
  /** Sequences being decoded. */
  get running(): number {
    return this.#used;
  }
  /** Requests that have a turn. */
  get requests(): number {
    return this.#requests;
  }

  /**
   * Waits for `weight` of the slots (at most all of them); returns the function that frees them.
   * Rejects with a Failure: 429 in a full queue at once, where no other client has more waiting
   * requests, or later, where this client has most and another one comes; 503 at close; or the
   * signal's reason.
   */
  async take(client: string, weight: number, signal: AbortSignal): Promise<() => void> {
    if (this.#closed) throw shuttingDown();
    signal.throwIfAborted();
    const sender = this.#clients.get(client) ?? { waiting: [], running: 0, last: 0 };
    this.#clients.set(client, sender);
    if (this.#waiting > 0 || this.#used + weight > this.#slots) {
      await this.#wait(client, sender, weight, signal);
    } else this.#begin(sender, weight);
    const start = performance.now();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#used -= weight;
      sender.running -= weight;
      this.#requests--;
      this.#meanSeconds += 0.1 * ((performance.now() - start) / 1000 - this.#meanSeconds);
      this.#forget(client, sender);
      this.#admit();
    };
  }

  /** Rejects all waiting requests. */
  close(): void {
    this.#closed = true;
    this.#waiting = 0;
    for (const { waiting } of this.#clients.values()) {
      for (const { reject } of waiting.splice(0)) reject(shuttingDown());
    }
  }

  #begin(client: Client, weight: number): void {
    this.#used += weight;
    client.running += weight;
    client.last = ++this.#turn;
    this.#requests++;
  }

  #wait(name: string, client: Client, weight: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting >= this.#longestQueue) this.#makeRoom(name, client);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const place = client.waiting.indexOf(entry);
        if (place >= 0) {
          client.waiting.splice(place, 1);
          this.#waiting--;
        }
        this.#forget(name, client);
        reject(signal.reason as Failure);
        this.#admit();
      };
      const entry: Waiting = {
        weight,
        admit: () => {
          signal.removeEventListener('abort', leave);
          this.#begin(client, weight);
          resolve();
        },
        reject: (failure) => {
          signal.removeEventListener('abort', leave);
          this.#forget(name, client);
          reject(failure);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      client.waiting.push(entry);
      this.#waiting++;
    });
  }

  /** Rejects the last request of the client with most of them, or the new one. */
  #makeRoom(name: string, client: Client): void {
    const full = queueFull(
      Math.min(60, Math.max(1, Math.ceil((this.#meanSeconds * (this.#waiting + 1)) / this.#slots))),
    );
    const [longest] = [...this.#clients.values()].sort(
      (a, b) => b.waiting.length - a.waiting.length,
    );
    if (!longest || longest.waiting.length <= client.waiting.length + 1) {
      this.#forget(name, client);
      throw full;
    }
    this.#waiting--;
    longest.waiting.pop()!.reject(full);
  }

  #admit(): void {
    while (this.#waiting > 0) {
      const [client] = [...this.#clients.values()]
        .filter(({ waiting }) => waiting.length > 0)
        .sort((a, b) => a.running - b.running || a.last - b.last);
      const [next] = client!.waiting;
      if (this.#used + next!.weight > this.#slots) return;
      client!.waiting.shift();
      this.#waiting--;
      next!.admit();
    }
  }

  #forget(name: string, { waiting, running }: Client): void {
    if (waiting.length === 0 && running === 0) this.#clients.delete(name);
  }
}
