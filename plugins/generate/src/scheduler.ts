// Decodes the sequences of one model together: one loop makes the steps, and waiting sequences join
// as places get free. Between steps the event loop gets a turn.
import { setImmediate } from 'node:timers/promises';
import type { DecodeSession, TokenChooser } from '@lmflow/sdk';

/** A sequence as the scheduler sees it. */
export interface Sequence {
  readonly prompt: Int32Array;
  readonly chooser: TokenChooser;
  /** Whether somebody still wants its tokens; asked before every step. */
  wanted(): boolean;
  /** Its chooser has new tokens. */
  onTokens(): void;
  onFailure(error: unknown): void;
}

export class Scheduler {
  readonly #open: () => Promise<DecodeSession>;
  readonly #places: number;
  #waiting: Sequence[] = [];
  readonly #running = new Map<number, Sequence>();
  #session: DecodeSession | undefined;
  #loop: Promise<void> | undefined;

  /** `open` makes the session for the first sequence; `places` limits those decoded together. */
  constructor(open: () => Promise<DecodeSession>, places: number) {
    this.#open = open;
    this.#places = places;
  }

  /** Adds a sequence; it is dropped when it is not wanted any more. */
  submit(sequence: Sequence): void {
    this.#waiting.push(sequence);
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
    });
  }

  /** Ends what runs and frees the session. */
  async dispose(): Promise<void> {
    this.#waiting = [];
    this.#running.clear();
    await this.#loop;
    await this.#session?.dispose();
    this.#session = undefined;
  }

  async #run(): Promise<void> {
    try {
      // Sequences submitted in the same turn are decoded together from the first step on.
      await setImmediate();
      const session = (this.#session ??= await this.#open());
      while (this.#admit(session)) {
        const tokens = await session.step();
        for (const handle of tokens.keys()) this.#running.get(handle)?.onTokens();
        await setImmediate();
      }
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** Removes ended sequences and adds waiting ones; returns whether any is left to decode. */
  #admit(session: DecodeSession): boolean {
    for (const [handle, sequence] of this.#running) {
      if (sequence.wanted()) continue;
      this.#running.delete(handle);
      session.remove(handle);
    }
    this.#waiting = this.#waiting.filter((sequence) => sequence.wanted());
    for (const sequence of this.#waiting.splice(0, this.#places - this.#running.size)) {
      this.#running.set(session.add(sequence.prompt, sequence.chooser), sequence);
    }
    return this.#running.size > 0;
  }

  async #fail(error: unknown): Promise<void> {
    const failed = [...this.#running.values(), ...this.#waiting];
    this.#running.clear();
    this.#waiting = [];
    const session = this.#session;
    this.#session = undefined;
    await session?.dispose().catch(() => undefined);
    for (const sequence of failed) sequence.onFailure(error);
  }
}
