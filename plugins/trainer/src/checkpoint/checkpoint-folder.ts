// Folders and files that appear whole: written aside under a temporary name, synced to disk,
// renamed.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { isLMFlowError, outputUnwritable, type Checkpoint } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { readSafetensors, writeSafetensors } from '@lmflow/sdk/formats';

/**
 * Start of the names of what is being written; such a name left over is from a run that was killed.
 */
export const ASIDE = '.writing-';

/** What plugins write into and read from. */
export class CheckpointFolder implements Checkpoint {
  readonly kind: Checkpoint['kind'];
  readonly directory: string;
  readonly step: number;
  readonly model: Model;

  constructor(kind: Checkpoint['kind'], directory: string, step: number, model: Model) {
    this.kind = kind;
    this.directory = directory;
    this.step = step;
    this.model = model;
  }

  async writeJson(file: string, value: unknown): Promise<void> {
    await this.writeText(file, `${JSON.stringify(value, null, 2)}\n`);
  }

  async writeText(file: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.directory, file)), { recursive: true });
    await writeFile(join(this.directory, file), text);
  }

  async writeTensors(
    ...[file, tensors, metadata]: Parameters<Checkpoint['writeTensors']>
  ): Promise<void> {
    await mkdir(dirname(join(this.directory, file)), { recursive: true });
    await writeSafetensors(join(this.directory, file), tensors, metadata);
  }

  async readJson(file: string): Promise<unknown> {
    const text = await ifPresent(readFile(join(this.directory, file), 'utf8'));
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  async readTensors(file: string): ReturnType<Checkpoint['readTensors']> {
    const path = join(this.directory, file);
    return (await ifPresent(stat(path))) ? readSafetensors(path) : undefined;
  }
}

/** The promise's value, or undefined where the file or folder is absent. */
export async function ifPresent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return undefined;
    }
    throw error;
  }
}

/** Writes a file so that it is either the old one or the whole new one. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const aside = join(dirname(path), `${ASIDE}${basename(path)}`);
  await writeFile(aside, content);
  await syncPath(aside);
  await rename(aside, path);
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
 * Makes a folder that was written aside take its name: its files and itself reach the disk first.
 */
export async function publishFolder(aside: string, folder: string): Promise<void> {
  for (const file of await filesUnder(aside)) await syncPath(join(aside, file));
  await syncPath(aside);
  const old = join(dirname(folder), `${ASIDE}old-${basename(folder)}`);
  await rm(old, { recursive: true, force: true });
  await ifPresent(rename(folder, old));
  await rename(aside, folder);
  await syncPath(dirname(folder));
  await rm(old, { recursive: true, force: true });
}

/** Moves every file of a folder that was written aside into another folder, each one whole. */
export async function publishFiles(aside: string, folder: string): Promise<void> {
  for (const file of await filesUnder(aside)) {
    await syncPath(join(aside, file));
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await rename(join(aside, file), join(folder, file));
  }
  await syncPath(folder);
  await rm(aside, { recursive: true, force: true });
}

/**
 * Lets `write` fill an empty folder beside the ones that are done, and publish it. Where that fails
 * nothing stays behind: a full disk gets its room back. Throws LMFLOW_OUTPUT_UNWRITABLE where the
 * disk is the reason.
 */
export async function writingAside<T>(
  parent: string,
  name: string,
  write: (aside: string) => Promise<T>,
): Promise<T> {
  const aside = join(parent, `${ASIDE}${name}`);
  try {
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    return await write(aside);
  } catch (error) {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    throw isDiskError(error) ? outputUnwritable(parent, error) : error;
  }
}

// The kernel wraps what a tap of onSave throws.
function isDiskError(error: unknown): boolean {
  const { code } = (isLMFlowError(error) ? (error.cause ?? {}) : error) as NodeJS.ErrnoException;
  return ['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EPERM', 'EIO'].includes(code ?? '');
}

/** Removes what killed runs left half written. */
export async function removeAsides(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (name.startsWith(ASIDE)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

/** SHA-256 of a file, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 22 })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

// Windows cannot sync a folder, some network disks nothing: the rename is then still atomic.
async function syncPath(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r+').catch(() => open(path, 'r'));
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    /* see above */
  }
}
