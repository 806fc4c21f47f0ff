// The files of a round: a stage is one file, written whole or not at all, whose first line says what it
// was made of. A file that was made of something else is made anew.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readWhole, writeFileAtomic } from '@lmflow/sdk/files';

/** The stages before training, in order. */
export type StageName = 'samples' | 'scores' | 'selected';

/** A stage that is done. */
export interface Stage<T> {
  readonly rows: readonly T[];
  /** What its first line says beside the hash of its inputs. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Hash of the file's content. */
  readonly hash: string;
  /** Whether it was there, and not made. */
  readonly found: boolean;
}

/** What a stage makes. */
export interface Made<T> {
  readonly rows: readonly T[];
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The folder of a round. */
export function roundFolder(outputDir: string, round: number): string {
  return join(outputDir, 'raft', `round-${String(round).padStart(3, '0')}`);
}

/** The file of a stage. */
export function stageFile(outputDir: string, round: number, name: StageName): string {
  return join(roundFolder(outputDir, round), `${name}.jsonl`);
}

/** Reads a stage that was made of these inputs, or makes and writes it. */
export async function stage<T>(
  file: string,
  inputs: unknown,
  make: () => Promise<Made<T>>,
): Promise<Stage<T>> {
  const hash = hashOf(JSON.stringify(inputs));
  const known = await readStage<T>(file);
  if (known?.facts['inputs'] === hash) return known;
  const { rows, facts = {} } = await make();
  const lines = [{ inputs: hash, ...facts }, ...rows];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await writeFileAtomic(file, text);
  return { ...parsed<T>(text), found: false };
}

/** A stage that is there; undefined where it is not. */
export async function readStage<T>(file: string): Promise<Stage<T> | undefined> {
  if (!existsSync(file)) return undefined;
  try {
    return { ...parsed<T>(await readWhole(file, Infinity)), found: true };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // not ours, or damaged: made anew
    throw error;
  }
}

// A stage is what its file says, also where it was just made: a resumed run reads the same numbers.
function parsed<T>(text: string): Omit<Stage<T>, 'found'> {
  const [first, ...rows] = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
  return { facts: (first ?? {}) as Stage<T>['facts'], rows: rows as T[], hash: hashOf(text) };
}

/** A short hash of a text. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
