// Which families of programs were seen to agree with the CPU, on this machine with these drivers:
// in memory, and in a file each.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { markUsed, writeFileAtomic } from '../files/index.ts';
import { hashOf } from './family.ts';
import { machineFacts } from './machine.ts';

/** The families that agreed with the CPU; a folder that cannot be read holds none. */
export class Verdicts {
  readonly #folder: string;
  readonly #versions: () => Promise<readonly string[]>;
  readonly #good = new Set<string>();
  #facts: Promise<readonly (readonly string[])[]> | undefined;

  /** `versions`: what else verdicts depend on: the engine, its device, its runtime. */
  constructor(folder: string, versions: () => Promise<readonly string[]>) {
    this.#folder = folder;
    this.#versions = versions;
  }

  /** Whether a program of the family was seen to agree, in this process or in an earlier one. */
  async isGood(family: string): Promise<boolean> {
    if (this.#good.has(family)) return true;
    const path = await this.#pathOf(family);
    if (!(await stat(path).catch(() => undefined))) return false;
    await markUsed(path);
    this.#good.add(family);
    return true;
  }

  /** Rejects where the folder cannot be written, so that only this process knows. */
  async record(family: string, seen: Readonly<Record<string, unknown>>): Promise<void> {
    this.#good.add(family);
    await writeFileAtomic(await this.#pathOf(family), `${JSON.stringify(seen, null, 2)}\n`, {
      unwritable: (path, cause) => new Error(`${path} cannot be written: ${messageOf(cause)}`),
    });
  }

  async #pathOf(family: string): Promise<string> {
    this.#facts ??= Promise.all([this.#versions(), machineFacts()]);
    return join(this.#folder, `${hashOf([family, await this.#facts])}.json`);
  }
}
