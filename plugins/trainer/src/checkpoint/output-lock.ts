// One run at a time in an output folder: a file with the process that trains there. A lock whose
// process is gone is taken over.
import { link, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isRunning, readWhole } from '@lmflow/sdk/files';
import { outputBusy } from '../errors.ts';

const FILE = '.lmflow-lock';
/** Milliseconds after which the owner renews its lock. */
const RENEWAL = 60_000;
/** Milliseconds without renewal after which a lock is stale, on any host. */
const STALE = 10 * RENEWAL;

/** The owner of a lock. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the run began, in milliseconds since 1970. */
  readonly since: number;
}

/** A lock that is held. */
export class OutputLock {
  readonly #path: string;
  readonly #text: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
    this.#timer = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => undefined);
    }, RENEWAL).unref();
  }

  /** Takes the lock of a folder that exists. Throws LMFLOW_OUTPUT_BUSY where a run holds it. */
  static async take(folder: string): Promise<OutputLock> {
    const path = join(folder, FILE);
    const owner: Owner = { pid: process.pid, host: hostname(), since: Date.now() };
    const text = `${JSON.stringify(owner)}\n`;
    // linked under its name when it is complete, so that nobody reads half of it
    const aside = `${path}-${process.pid}-${owner.since}-${Math.random().toString(36).slice(2)}`;
    await writeFile(aside, text);
    try {
      for (;;) {
        if (await linked(aside, path)) return new OutputLock(path, text);
        const holder = await readLock(path);
        if (holder && !isStale(holder)) throw outputBusy(folder, holder.owner, path);
        await rm(path, { force: true });
      }
    } finally {
      await rm(aside, { force: true });
    }
  }

  /** Removes the lock, unless another process has taken it over. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    const text = await readWhole(this.#path).catch(() => undefined);
    if (text === this.#text) await rm(this.#path, { force: true });
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // file systems without links
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    return await written(to, await readWhole(from));
  }
}

async function written(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

interface Holder {
  readonly owner: Partial<Owner>;
  readonly renewed: number;
}

async function readLock(path: string): Promise<Holder | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    return { owner: parsed(await readWhole(path)), renewed: mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parsed(text: string): Partial<Owner> {
  try {
    return JSON.parse(text) as Partial<Owner>;
  } catch {
    return {};
  }
}

function isStale({ owner: { pid, host, since }, renewed }: Holder): boolean {
  if (Date.now() - renewed > STALE) return true;
  if (host !== hostname() || pid === undefined) return false;
  // ids of processes are reused after a while, and soon in a container that restarts
  if (pid === process.pid) return (since ?? 0) < performance.timeOrigin;
  return !isRunning(pid);
}
