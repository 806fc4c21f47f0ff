// Files that others wrote, read whole: only regular ones, since opening a pipe or a device can wait
// or go on for ever, and only up to a size. A pipe that a shell opened for this process, `<(cmd)`,
// is read where a whole file is wanted.
import { readFileSync, readSync, statSync, type Stats } from 'node:fs';
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
  if (found.size > most) throw tooLarge(`it has ${megabytes(found.size)} MB`, most);
}

const tooLarge = (has: string, most: number): Error =>
  new Error(`${has}; it may have ${megabytes(most)} MB`);

/** What a path is: a file, a folder, a named pipe, a socket, a device. */
export function kindOf(found: Stats): string {
  if (found.isFile()) return 'a file';
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a named pipe';
  return found.isSocket() ? 'a socket' : 'a device';
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);

/**
 * The text of a regular file, or of a pipe that this process was started with (`/dev/fd/63`,
 * `/dev/stdin`), of at most `most` bytes. Throws as `checkRegular` does.
 */
export async function readWhole(path: string, most = LARGEST_WHOLE): Promise<string> {
  const pipe = inherited(path);
  if (pipe !== undefined) return readPipe(pipe, most);
  checkRegular(path, most);
  return readFile(path, 'utf8');
}

/** The same, at once. */
export function readWholeSync(path: string, most = LARGEST_WHOLE): string {
  const pipe = inherited(path);
  if (pipe !== undefined) return readPipe(pipe, most);
  checkRegular(path, most);
  return readFileSync(path, 'utf8');
}

// The descriptor that a path names, where that is a pipe. It is read by its number: opened by its
// path, a named pipe would wait for another writer.
function inherited(path: string): number | undefined {
  const named = /^\/(?:dev|proc\/self)\/(?:fd\/(\d+)|stdin)$/.exec(path);
  if (named === null || !statSync(path).isFIFO()) return undefined;
  return Number(named[1] ?? 0);
}

function readPipe(fd: number, most: number): string {
  const parts: Buffer[] = [];
  const part = Buffer.alloc(2 ** 16);
  for (let size = 0; ;) {
    const bytes = readSync(fd, part);
    if (bytes === 0) return Buffer.concat(parts).toString('utf8');
    size += bytes;
    if (size > most) throw tooLarge('it goes on', most);
    parts.push(Buffer.from(part.subarray(0, bytes)));
  }
}
