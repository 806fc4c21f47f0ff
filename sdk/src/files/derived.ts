// Files made from a weight once and kept (quantized blocks), named by what they were made from.
// Checkpoints are read in formats/.
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { FileWeight } from '../graph/index.ts';
import { markUsed } from './cache.ts';
import { cacheUnwritable } from './errors.ts';
import { writeFileAtomic, writeFileInParts, type Unwritable } from './file.ts';

/** A file that is made once from a weight and a set of options, and found again by them. */
export interface DerivedRequest {
  readonly folder: string;
  /** The option that names the folder, for the error where it cannot be written. */
  readonly setting: string;
  /**
   * The weight it is made from. The key contains the path, size and time of change of its file, and
   * its place in the file.
   */
  readonly weight: FileWeight;
  /** Further weights that it is made from. */
  readonly others?: readonly FileWeight[];
  /** What else decides the content: options, and a version of the format. */
  readonly key: Readonly<Record<string, unknown>>;
  readonly byteLength: number;
  /** Makes the content; called where the file does not exist yet. */
  readonly make: () => Promise<readonly Uint8Array[]>;
}

/**
 * Path of the derived file; `made` says whether it was written now. A reader never sees half a
 * file, two writers may race, and a changed source gets a new file. Throws LMFLOW_CACHE_UNWRITABLE.
 */
export async function derivedFile(
  request: DerivedRequest,
): Promise<{ readonly path: string; readonly made: boolean }> {
  const { folder, setting, weight, byteLength, make } = request;
  const path = await derivedPath(request);
  const known = await stat(path).catch(() => undefined);
  if (known?.size === byteLength) {
    await markUsed(path);
    return { path, made: false };
  }
  const unwritable: Unwritable = (_, cause) => cacheUnwritable(folder, cause, setting);
  const parts = await make();
  await noteSource(dirname(path), weight.path, unwritable);
  await writeFileInParts(
    path,
    async (file) => {
      for (const part of parts) await file.write(part);
    },
    { unwritable },
  );
  return { path, made: true };
}

/** The file that `noteSource` writes. */
export const SOURCE_NOTE = 'source.txt';

/** Notes, for people, which file the files of a folder of the cache were made from. */
export async function noteSource(
  folder: string,
  source: string,
  unwritable: Unwritable,
): Promise<void> {
  const note = join(folder, SOURCE_NOTE);
  if (await stat(note).catch(() => undefined)) return;
  await writeFileAtomic(note, `${resolve(source)}\n`, { unwritable });
}

async function derivedPath({ folder, weight, others = [], key }: DerivedRequest): Promise<string> {
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
  return join(
    folder,
    hash(...(await versionOf(resolve(weight.path)))),
    `${hash(...place(weight), ...further, key)}.bin`,
  );
}

/** What changes when a file does. */
async function versionOf(
  path: string,
): Promise<readonly [path: string, size: number, mtimeMs: number]> {
  const { size, mtimeMs } = await stat(path);
  return [path, size, mtimeMs];
}
