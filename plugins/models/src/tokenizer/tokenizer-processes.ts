// The processes of one kernel's tokenizers: one for all tokenizers of equal content, and only so many
// at once.
import { createHash } from 'node:crypto';
import type { AddedTokenSpec } from './files.ts';
import { TokenizerProcess } from './tokenizer-process.ts';

/** Processes that run at once; a further one takes the place of the longest unused. */
const MOST = 4;

export class TokenizerProcesses {
  /** Those that run, the last used last. */
  readonly #running: TokenizerProcess[] = [];
  readonly #known = new Map<string, WeakRef<TokenizerProcess>>();

  /** The process of a tokenizer.json and its added tokens. */
  of(json: string, added: readonly AddedTokenSpec[]): TokenizerProcess {
    const key = createHash('sha256').update(json).update(JSON.stringify(added)).digest('hex');
    const known = this.#known.get(key)?.deref();
    if (known) return known;
    for (const [other, reference] of this.#known) {
      if (!reference.deref()) this.#known.delete(other);
    }
    const made: TokenizerProcess = new TokenizerProcess(json, added, {
      use: () => {
        this.#makeRoom(made);
      },
    });
    this.#known.set(key, new WeakRef(made));
    return made;
  }

  /** Ends all of them; a tokenizer that is used again starts its own again. */
  dispose(): void {
    for (const process of this.#running.splice(0)) process.stop();
  }

  #makeRoom(process: TokenizerProcess): void {
    const running = this.#running;
    const place = running.indexOf(process);
    if (place >= 0) running.splice(place, 1);
    running.push(process);
    for (const other of running.slice(0, -1)) {
      if (running.length <= MOST) return;
      if (other.busy) continue;
      running.splice(running.indexOf(other), 1);
      other.stop();
    }
  }
}
