// What files and folders hold, as hashes: of small files their content, of large ones size and time.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkRegular } from '@lmflow/sdk/files';

/** Larger files are not read. */
const READ_BYTES = 256 * 2 ** 20;

/** A file of a folder, as it was. */
export interface FileFacts {
  /** In the folder, with forward slashes. */
  readonly path: string;
  readonly size: number;
  readonly time: number;
  readonly hash: string;
}

/** Of a list of parts. */
export function hashOf(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex');
}

/** The files of a folder, or the file itself, in an order that is always the same. */
export async function factsOf(path: string): Promise<readonly FileFacts[]> {
  const found = await stat(path);
  if (found.isFile()) return [await fileFacts(path, '')];
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => existsSync(file))
    .sort();
  const facts: FileFacts[] = [];
  for (const file of files) {
    if (!(await stat(file)).isFile()) continue;
    facts.push(await fileFacts(file, file.slice(path.length + 1).replaceAll('\\', '/')));
  }
  return facts;
}

/** Of names and contents; times count where a file was too large to read. */
export function digestOf(facts: readonly FileFacts[]): string {
  return hashOf(...facts.flatMap(({ path, hash }) => [path, hash]));
}

/** The first file that is not as it was; undefined where all are. */
export async function changedFile(
  folder: string,
  facts: readonly FileFacts[],
): Promise<string | undefined> {
  for (const { path, size, time, hash } of facts) {
    const file = join(folder, path);
    const now = await stat(file).catch(() => undefined);
    if (!now?.isFile() || now.size !== size) return path;
    if (now.mtimeMs !== time && (await fileFacts(file, path)).hash !== hash) return path;
  }
  return undefined;
}

async function fileFacts(file: string, path: string): Promise<FileFacts> {
  const { size, mtimeMs: time } = await stat(file);
  if (size > READ_BYTES) return { path, size, time, hash: `${size} ${time}` };
  checkRegular(file, READ_BYTES);
  const hash = createHash('sha256').update(await readFile(file));
  return { path, size, time, hash: hash.digest('hex') };
}
