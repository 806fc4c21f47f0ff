// Writes files atomically: written under another name, synced to the disk, renamed.
// Not write-file-atomic, which takes a file's whole content (a checkpoint is larger than memory)
// and writes through links: an output folder of links into the hub's cache would change the cache.
import { randomUUID } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { outputUnwritable } from './errors.ts';
import { makeFolder } from './make-folder.ts';

/** Prefix of files and folders in the making; one that is left over is from a killed process. */
export const ASIDE = '.writing-';

/** The largest piece given to the system at once. */
const PIECE = 1 << 26;

/** A file that is being filled, from its start to its end. */
export interface FileWriter {
  /** Bytes written so far. */
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
}

/** Makes the error of a place that cannot be written. */
export type Unwritable = (path: string, cause: unknown) => Error;

/** What is thrown where a file or folder cannot be written. */
export interface WriteOptions {
  /** Default: LMFLOW_OUTPUT_UNWRITABLE. */
  readonly unwritable?: Unwritable;
}

/** Writes a whole file and, where it is missing, its folder. Throws LMFLOW_OUTPUT_UNWRITABLE. */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options?: WriteOptions,
): Promise<void> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  await writeFileInParts(path, (file) => file.write(bytes), options);
}

/**
 * Lets `fill` write a file piece by piece, and returns its result. The file appears when `fill` is
 * done; nothing is left where it throws. Throws LMFLOW_OUTPUT_UNWRITABLE.
 */
export async function writeFileInParts<T>(
  path: string,
  fill: (file: FileWriter) => Promise<T>,
  { unwritable = outputUnwritable }: WriteOptions = {},
): Promise<T> {
  const aside = asideOf(path);
  const orUnwritable = <R>(step: Promise<R>): Promise<R> =>
    step.catch((error: unknown) => {
      throw unwritable(path, error);
    });
  await orUnwritable(makeFolder(dirname(path)));
  const handle = await orUnwritable(open(aside, 'wx'));
  try {
    let size = 0;
    const result = await fill({
      get size() {
        return size;
      },
      write: async (bytes) => {
        await orUnwritable(writeWhole(handle, bytes));
        size += bytes.length;
      },
    });
    await orUnwritable(syncHandle(handle));
    await orUnwritable(handle.close());
    await orUnwritable(rename(aside, path));
    return result;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(aside, { force: true });
    throw error;
  }
}

/** A name beside `path` that no other writer takes. */
export function asideOf(path: string): string {
  return join(dirname(path), `${ASIDE}${basename(path)}-${randomUUID().slice(0, 8)}`);
}

/** Syncs what was written to the disk. */
export async function syncHandle(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    // Some network disks cannot; the rename is atomic there too.
    const { code } = error as NodeJS.ErrnoException;
    if (!['EINVAL', 'ENOTSUP', 'ENOSYS', 'EPERM'].includes(code ?? '')) throw error;
  }
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(PIECE, bytes.length - done));
    done += bytesWritten;
  }
}
