// Times of taps outlive the process that measured them, so that `lmflow inspect` can show what the
// last command of this folder spent.
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { cacheFolder, readWhole, writeFileAtomic } from '@lmflow/sdk/files';
import type { TapTime } from '../hooks.ts';

export interface LastRun {
  readonly command: string;
  /** ISO date and time at which it ended. */
  readonly ended: string;
  readonly times: readonly TapTime[];
}

function fileFor(folder: string): string {
  const name = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 16);
  return join(cacheFolder('kernel'), `${name}.json`);
}

/**
 * Remembers what a command spent in `folder`. A cache that cannot be written is no reason to fail.
 */
export async function rememberRun(folder: string, run: LastRun): Promise<void> {
  try {
    await writeFileAtomic(fileFor(folder), JSON.stringify(run));
  } catch {
    /* only `lmflow inspect` would show it */
  }
}

/** The last command that ran in `folder`; undefined where none is remembered. */
export async function lastRun(folder: string): Promise<LastRun | undefined> {
  try {
    return JSON.parse(await readWhole(fileFor(folder))) as LastRun;
  } catch {
    return undefined;
  }
}
