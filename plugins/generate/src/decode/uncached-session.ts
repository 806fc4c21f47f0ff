// Decoding without a cache: every token is computed from the whole sequence. It is slow, and tests
// compare the cache with it.
import type { DecodeSession, TokenChooser } from '@lmflow/sdk';
import type { StepRunner } from './step-runner.ts';

interface Row {
  readonly ids: number[];
  readonly chooser: TokenChooser;
}

export class UncachedSession implements DecodeSession {
  readonly #runner: StepRunner;
  readonly #rows = new Map<number, Row>();
  #handles = 0;

  constructor(runner: StepRunner) {
    this.#runner = runner;
  }

  add(prompt: Int32Array, chooser: TokenChooser): number {
    this.#rows.set(++this.#handles, { ids: [...prompt], chooser });
    return this.#handles;
  }

  remove(handle: number): void {
    this.#rows.delete(handle);
  }

  async step(): Promise<ReadonlyMap<number, readonly number[]>> {
    const results = new Map<number, readonly number[]>();
    for (const [handle, { ids, chooser }] of [...this.#rows]) {
      this.#runner.reserve(1, ids.length, () => 0);
      const token = chooser.choose(await this.#runner.read({ row: 0, ids, at: 0 }));
      ids.push(token);
      results.set(handle, [token]);
    }
    return results;
  }

  async dispose(): Promise<void> {
    this.#rows.clear();
    await this.#runner.dispose();
  }
}
