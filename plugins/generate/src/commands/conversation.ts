// The turns of a chat. It drops the oldest where they exceed the context.
import type { ChatMessage } from '@lmflow/sdk';

export class Conversation {
  system: string | undefined;
  /** The name of the adapter that answers; undefined for the model alone. */
  adapter: string | undefined;
  #turns: ChatMessage[] = [];

  constructor(system: string | undefined, adapter?: string) {
    this.system = system;
    this.adapter = adapter;
  }

  get messages(): readonly ChatMessage[] {
    return [
      ...(this.system === undefined ? [] : [{ role: 'system', content: this.system }]),
      ...this.#turns,
    ];
  }

  add(role: 'user' | 'assistant', content: string): void {
    this.#turns.push({ role, content });
  }

  /** Removes the last turn, after an answer failed. */
  removeLast(): void {
    this.#turns.pop();
  }

  reset(): void {
    this.#turns = [];
  }

  /**
   * Drops the oldest turns, a question with its answer, until `fits`; returns the number of dropped
   * messages. The last question stays.
   */
  async shorten(fits: (messages: readonly ChatMessage[]) => Promise<boolean>): Promise<number> {
    const before = this.#turns.length;
    while (this.#turns.length > 1 && !(await fits(this.messages))) {
      this.#turns = this.#turns.slice(this.#turns[1]?.role === 'assistant' ? 2 : 1);
    }
    return before - this.#turns.length;
  }
}
