// Times of taps outlive the process that measured them, so that `lmflow inspect` can show what the
// last command of this folder spent.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { TapTime } from '../hooks.ts';

export interface LastRun {
  readonly command: string;
  /** ISO date and time at which it ended. */
  readonly ended: string;
  readonly times: readonly TapTime[];
}

function fileFor(folder: string): string {
  const { LMFLOW_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  const cache = own || join(shared || join(homedir(), '.cache'), 'lmflow');
  return join(
    cache,
    'times',
    `${createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 16)}.json`,
  );
}

/**
 * Remembers what a command spent in `folder`. A cache that cannot be written is no reason to fail.
 */
export function rememberRun(folder: string, run: LastRun): void {
  try {
    mkdirSync(dirname(fileFor(folder)), { recursive: true });
    writeFileSync(fileFor(folder), JSON.stringify(run));
  } catch {
    /* it is only a convenience */
  }
}

/** The last command that ran in `folder`; undefined where none is remembered. */
export function lastRun(folder: string): LastRun | undefined {
  try {
    return JSON.parse(readFileSync(fileFor(folder), 'utf8')) as LastRun;
  } catch {
    return undefined;
  }
}
