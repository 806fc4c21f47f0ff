// Files that others wrote, read whole: only regular ones, since opening a pipe or a device can wait
// or go on for ever, and only up to a size.
import { readFileSync, statSync, type Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** The largest file that is read whole where nothing else is said: 64 MB, in bytes. */
export const LARGEST_WHOLE = 2 ** 26;

/**
 * Throws where a path is no regular file or has more than `most` bytes; the system's error where
 * there is nothing.
 */
export function checkRegular(path: string, most = Infinity): void {
  const found = statSync(path);
  if (!found.isFile()) throw new Error(`it is ${kindOf(found)}, not a regular file`);
  if (found.size > most) {
    throw new Error(`it has ${megabytes(found.size)} MB; it may have ${megabytes(most)} MB`);
  }
}

/** What a path is: a file, a folder, a named pipe, a socket, a device. */
export function kindOf(found: Stats): string {
  if (found.isFile()) return 'a file';
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a named pipe';
  return found.isSocket() ? 'a socket' : 'a device';
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);

/** The text of a regular file of at most `most` bytes. Throws as `checkRegular` does. */
export async function readWhole(path: string, most = LARGEST_WHOLE): Promise<string> {
  checkRegular(path, most);
  return readFile(path, 'utf8');
}

/** The same, at once. */
export function readWholeSync(path: string, most = LARGEST_WHOLE): string {
  checkRegular(path, most);
  return readFileSync(path, 'utf8');
}
