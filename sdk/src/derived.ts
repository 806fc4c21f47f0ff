// Files made from a weight once and kept (quantized blocks), named by what they were made from. Not
// the checkpoint's own reader: formats/.
import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { FileWeight } from './graph/index.ts';

/** Where derived files are kept: $LMFLOW_CACHE or ~/.cache/lmflow, then `name`. */
export function cacheFolder(name: string): string {
  return join(process.env['LMFLOW_CACHE'] ?? join(homedir(), '.cache', 'lmflow'), name);
}

export interface DerivedRequest {
  readonly folder: string;
  /**
   * What it is made from: the key has its file's path, size and time of change, and its place in
   * it.
   */
  readonly weight: FileWeight;
  /** Further weights that it is made from. */
  readonly others?: readonly FileWeight[];
  /** What else decides the content: options, and a version of the format. */
  readonly key: Readonly<Record<string, unknown>>;
  readonly byteLength: number;
  /** The content, made where the file is not there yet. */
  readonly make: () => Promise<readonly Uint8Array[]>;
}

/**
 * Path of the derived file. It is written aside and renamed, so that a reader never sees half a
 * file and two writers do no harm;
 * `made` says whether it was written now. A changed source gets a new file.
 */
export async function derivedFile({
  folder,
  weight,
  others = [],
  key,
  byteLength,
  make,
}: DerivedRequest): Promise<{ readonly path: string; readonly made: boolean }> {
  const source = resolve(weight.path);
  const hash = (...parts: unknown[]): string =>
    createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
  const place = ({ offset, byteLength: length, dtype, shape }: FileWeight): unknown[] => [
    offset,
    length,
    dtype,
    shape,
  ];
  const further = await Promise.all(
    others.map(async (other) => [await versionOf(resolve(other.path)), place(other)]),
  );
  const path = join(
    folder,
    hash(...(await versionOf(source))),
    `${hash(...place(weight), ...further, key)}.bin`,
  );
  const known = await stat(path).catch(() => undefined);
  if (known?.size === byteLength) return { path, made: false };
  const aside = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(join(dirname(path), 'source.txt'), `${source}\n`);
  try {
    const file = await open(aside, 'w');
    try {
      for (const part of await make()) await file.writeFile(part);
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  return { path, made: true };
}

/** What changes when a file does. */
async function versionOf(
  path: string,
): Promise<readonly [path: string, size: number, mtimeMs: number]> {
  const { size, mtimeMs } = await stat(path);
  return [path, size, mtimeMs];
}
