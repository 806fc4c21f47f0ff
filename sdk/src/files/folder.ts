// Folders of results that appear whole: written beside their place, synced to the disk, renamed at
// the end.
import { open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { diskErrorOf, outputNotEmpty, outputUnwritable } from './errors.ts';
import { makeFolder } from './make-folder.ts';
import { kindOf } from './regular.ts';
import { ASIDE, asideOf, syncHandle, type Unwritable, type WriteOptions } from './file.ts';

/** What happens where the folder exists, and what is thrown where it cannot be written. */
export interface FolderOptions extends WriteOptions {
  /**
   * true replaces a folder that is not empty instead of refusing it. A function decides after the
   * new folder is written: false keeps the existing folder and drops the new one.
   */
  readonly replace?: boolean | (() => Promise<boolean>);
}

/**
 * Calls `write` with an empty folder, which replaces `folder` when it is done; nothing is left where
 * `write` throws. Throws LMFLOW_OUTPUT_NOT_EMPTY before any work,
 * LMFLOW_OUTPUT_UNWRITABLE where the disk refuses.
 */
export async function writeFolder<T>(
  folder: string,
  write: (directory: string) => Promise<T>,
  { replace = false, unwritable = outputUnwritable }: FolderOptions = {},
): Promise<T> {
  const target = resolve(folder);
  const present = await entriesOf(target, unwritable);
  if (present !== undefined && present.length > 0 && !replace) throw outputNotEmpty(target);
  const publish = async (aside: string): Promise<void> => {
    await syncFiles(aside);
    if (present !== undefined && !replace) await rmdir(target);
    await takePlace(aside, target, replace);
    await syncPath(dirname(target));
  };
  return writeBeside({ aside: asideOf(target), target, write, publish, unwritable });
}

/**
 * Calls `write` with an empty folder, whose files are moved into `folder` when it is done; other
 * files there are kept. Nothing is left where `write` throws. Throws
 * LMFLOW_OUTPUT_UNWRITABLE.
 */
export async function writeFilesInto<T>(
  folder: string,
  write: (directory: string) => Promise<T>,
): Promise<T> {
  const target = resolve(folder);
  const publish = async (aside: string): Promise<void> => {
    await syncFiles(aside);
    for (const file of await filesUnder(aside)) {
      await makeFolder(dirname(join(target, file)));
      await rename(join(aside, file), join(target, file));
    }
    await syncPath(target);
    await remove(aside);
  };
  const aside = asideOf(join(target, 'files'));
  return writeBeside({ aside, target, write, publish, unwritable: outputUnwritable });
}

/**
 * Removes a folder with all that is in it; one that is half removed when the process is killed has
 * lost its name before. An absent folder is no error.
 */
export async function removeFolder(folder: string): Promise<void> {
  const target = resolve(folder);
  const aside = asideOf(target);
  try {
    await rename(target, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await remove(aside);
}

/** Every file under a folder, relative to it, sorted. */
export async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/**
 * Removes what killed processes left half written in a folder: everything in the making that has not
 * changed for `olderThan` milliseconds.
 */
export async function removeAsides(folder: string, olderThan = 0): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(ASIDE)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs >= olderThan) await remove(path);
  }
}

async function entriesOf(folder: string, unwritable: Unwritable): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const there = await stat(folder).catch(() => undefined);
    const file = there && !there.isDirectory();
    throw unwritable(folder, file ? new Error(`it is ${kindOf(there)}, not a folder`) : error);
  }
}

/** Gives a folder its name. Another writer may be faster, also between the two renames. */
async function takePlace(
  aside: string,
  target: string,
  replace: boolean | (() => Promise<boolean>),
): Promise<void> {
  const away: string[] = [];
  try {
    for (;;) {
      try {
        await rename(aside, target);
        return;
      } catch (error) {
        if (replace === false || away.length === 3) throw error;
      }
      if (replace !== true && !(await replace())) return await remove(aside);
      const old = asideOf(target);
      await rename(target, old).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
      away.push(old);
    }
  } catch (error) {
    // Restore what was there.
    if (away.length > 0) await rename(away.at(-1)!, target).catch(() => undefined);
    throw error;
  } finally {
    for (const old of away) await remove(old);
  }
}

async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

interface Job<T> {
  readonly aside: string;
  readonly target: string;
  readonly write: (directory: string) => Promise<T>;
  readonly publish: (aside: string) => Promise<void>;
  readonly unwritable: Unwritable;
}

async function writeBeside<T>({ aside, target, write, publish, unwritable }: Job<T>): Promise<T> {
  try {
    await makeFolder(aside).catch((error: unknown) => {
      throw unwritable(target, error);
    });
    const result = await write(aside);
    await publish(aside).catch((error: unknown) => {
      throw unwritable(target, error);
    });
    return result;
  } catch (error) {
    await remove(aside).catch(() => undefined);
    const refused = diskErrorOf(error, dirname(target));
    throw refused ? unwritable(target, refused) : error;
  }
}

async function syncFiles(folder: string): Promise<void> {
  for (const file of await filesUnder(folder)) await syncPath(join(folder, file));
  await syncPath(folder);
}

// Windows cannot open a folder.
async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r+').catch(() => open(path, 'r').catch(() => undefined));
  try {
    if (handle) await syncHandle(handle);
  } finally {
    await handle?.close();
  }
}
