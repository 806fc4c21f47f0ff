// The records of a task that are scored already, one a line in a file: an evaluation that was killed
// goes on after the last whole line. A file of other settings is begun anew.
import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { outputUnwritable, readWholeSync } from '@lmflow/sdk/files';
import type { ContinuationScore } from '@lmflow/sdk';

/** What is kept of a record that is done. */
export interface KeptRecord {
  readonly id: number;
  /** Of answers that are given. */
  readonly scores?: readonly ContinuationScore[];
  readonly alone?: readonly ContinuationScore[];
  /** Answers that the model wrote. */
  readonly texts?: readonly string[];
  /** Requests whose context was cut. */
  readonly cut: number;
}

export class UnfinishedTask {
  readonly #file: string | undefined;
  readonly scored = new Map<number, KeptRecord>();

  /** Without a file nothing is kept. `settings` is all that decides the scores. */
  constructor(file: string | undefined, settings: string) {
    this.#file = file;
    if (file === undefined) return;
    const [head, ...lines] = existsSync(file) ? readWholeSync(file, Infinity).split('\n') : [];
    const known = head === settings ? lines.flatMap(recordOf) : [];
    for (const record of known) this.scored.set(record.id, record);
    // without what a kill left of a line
    const content = [settings, ...known.map((record) => JSON.stringify(record)), ''].join('\n');
    this.#write(() => {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    });
  }

  add(records: readonly KeptRecord[]): void {
    for (const record of records) this.scored.set(record.id, record);
    if (this.#file === undefined) return;
    const lines = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    this.#write(() => {
      appendFileSync(this.#file!, lines);
    });
  }

  /** The task is done: its file is no longer needed. */
  end(): void {
    if (this.#file !== undefined) rmSync(this.#file, { force: true });
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (cause) {
      throw outputUnwritable(this.#file!, cause);
    }
  }
}

function recordOf(line: string): KeptRecord[] {
  try {
    return [JSON.parse(line) as KeptRecord];
  } catch {
    return [];
  }
}
