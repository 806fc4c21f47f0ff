// A repository in the cache, in the layout that Hugging Face's libraries share: blobs by hash,
// snapshots by commit, refs by name.
import { readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { getRepoFolderName } from '@huggingface/hub';
import { cacheUnwritable, makeFolder, readWhole, writeFileAtomic } from '@lmflow/sdk/files';
import type { Subject } from './errors.ts';

/** Whether a file or folder is there (a link counts when its target is). */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Whether a revision is a commit, which never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The error of a hub's cache that cannot be written. */
export function hubCacheUnwritable(cache: string, cause: unknown): Error {
  return cacheUnwritable(cache, cause, 'cacheDir', 'HF_HOME');
}

/** One model's or data set's part of the cache. */
export class RepositoryCache {
  readonly #folder: string;

  constructor(
    readonly cache: string,
    { kind, id }: Pick<Subject, 'kind' | 'id'>,
  ) {
    this.#folder = join(cache, getRepoFolderName({ type: kind, name: id }));
  }

  /** The folder of a commit's files. */
  snapshot(commit: string): string {
    return join(this.#folder, 'snapshots', commit);
  }

  /** Path of a file's content, which several commits may share. */
  blob(etag: string): string {
    return join(this.#folder, 'blobs', etag);
  }

  /** The commit that a revision stood for at the last download. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readWhole(this.#ref(revision)).catch(() => '');
    return text.trim() || undefined;
  }

  /** Notes which commit a branch or tag is. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(revision)) === commit) return;
    await writeFileAtomic(this.#ref(revision), commit, {
      unwritable: (_, cause) => hubCacheUnwritable(this.cache, cause),
    });
  }

  /** The names of the files of a commit that are here. */
  async files(commit: string): Promise<string[]> {
    const folder = this.snapshot(commit);
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    const here = await Promise.all(
      names.map((name) =>
        stat(join(folder, name)).then(
          (entry) => entry.isFile(),
          () => false,
        ),
      ),
    );
    return names
      .filter((_, index) => here[index])
      .map((name) => name.replaceAll('\\', '/'))
      .sort();
  }

  /**
   * Puts a blob into a snapshot: a relative link, or (where links are not allowed, as on Windows)
   * the file itself.
   */
  async link(commit: string, file: string, etag: string): Promise<void> {
    const pointer = join(this.snapshot(commit), file);
    await makeFolder(dirname(pointer));
    await rm(pointer, { force: true });
    try {
      await symlink(relative(dirname(pointer), this.blob(etag)), pointer);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      // another process was faster
      if (code === 'EEXIST' && (await exists(pointer))) return;
      if (!['EPERM', 'EACCES', 'ENOTSUP', 'UNKNOWN'].includes(code)) throw error;
      await rename(this.blob(etag), pointer);
    }
  }

  #ref(revision: string): string {
    return join(this.#folder, 'refs', revision);
  }
}
