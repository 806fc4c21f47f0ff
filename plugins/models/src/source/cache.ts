// The hub's cache on disk, in the layout that Hugging Face's libraries share: blobs by hash,
// snapshots by commit, refs by name.
import { mkdir, open, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readSafetensorsIndex } from '@lmflow/sdk/formats';

export const SINGLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

/** Whether a file or folder is there (a link counts when its target is). */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

export async function sizeOnDisk(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** One model's part of the cache. */
export class CachedModel {
  readonly #folder: string;

  constructor(
    readonly cache: string,
    id: string,
  ) {
    this.#folder = join(cache, ['models', ...id.split('/')].join('--'));
  }

  snapshot(commit: string): string {
    return join(this.#folder, 'snapshots', commit);
  }
  blob(etag: string): string {
    return join(this.#folder, 'blobs', etag);
  }

  /** The folder of a revision, and whether config.json and all weights are in it. */
  async find(
    revision: string,
  ): Promise<{ readonly state: 'complete' | 'partial' | 'absent'; readonly folder: string }> {
    const commit = isCommit(revision)
      ? revision
      : await readFile(join(this.#folder, 'refs', revision), 'utf8').then(
          (text) => text.trim(),
          () => undefined,
        );
    if (commit === undefined) return { state: 'absent', folder: '' };
    const folder = this.snapshot(commit);
    if (!(await exists(folder))) return { state: 'absent', folder };
    return {
      state:
        (await exists(join(folder, 'config.json'))) && (await hasWeights(folder))
          ? 'complete'
          : 'partial',
      folder,
    };
  }

  /** Notes which commit a branch or tag is. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return;
    const path = join(this.#folder, 'refs', revision);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, commit);
  }

  /**
   * Puts a blob into a snapshot: a relative link, or (where links are not allowed, as on Windows)
   * the file itself.
   */
  async link(commit: string, file: string, etag: string): Promise<void> {
    const pointer = join(this.snapshot(commit), file);
    await mkdir(dirname(pointer), { recursive: true });
    await rm(pointer, { force: true });
    try {
      await symlink(relative(dirname(pointer), this.blob(etag)), pointer);
    } catch (error) {
      if (
        !['EPERM', 'EACCES', 'ENOTSUP', 'UNKNOWN'].includes(
          (error as NodeJS.ErrnoException).code ?? '',
        )
      ) {
        throw error;
      }
      await rename(this.blob(etag), pointer);
    }
  }

  /**
   * Runs `work` while no other process works on the same blob; `waiting` is told the lock's path. A
   * lock whose process is gone is taken over.
   */
  async locked<T>(
    etag: string,
    work: () => Promise<T>,
    waiting: (path: string) => void,
    signal?: AbortSignal,
  ): Promise<T> {
    const path = `${this.blob(etag)}.lock`;
    await mkdir(dirname(path), { recursive: true });
    while (!(await take(path))) {
      waiting(path);
      await wait(200, undefined, signal ? { signal } : {});
    }
    try {
      return await work();
    } finally {
      await rm(path, { force: true });
    }
  }
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

async function hasWeights(folder: string): Promise<boolean> {
  if (await exists(join(folder, SINGLE))) return true;
  if (!(await exists(join(folder, INDEX)))) return false;
  const shards = await readSafetensorsIndex(join(folder, INDEX)).then(
    (index) => index.shards,
    () => [],
  );
  return (
    shards.length > 0 &&
    (await Promise.all(shards.map((shard) => exists(join(folder, shard))))).every(Boolean)
  );
}

async function take(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = Number(await readFile(path, 'utf8').catch(() => ''));
  // An empty lock is one that its process is about to write, unless it died just then.
  const age =
    Date.now() -
    (await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Infinity,
    ));
  if (holder > 0 ? !isRunning(holder) : age > 10_000) await rm(path, { force: true });
  return false;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
