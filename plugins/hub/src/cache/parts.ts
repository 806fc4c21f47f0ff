// The content of the caches: a part for each plugin, and the hub's. An entry is a child of the part's
// folder, which is used and deleted as a whole.
import type { Dirent } from 'node:fs';
import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot } from '@lmflow/sdk/files';

/** A file, or a folder of files that go together. */
export interface CacheEntry {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since 1970 at which it was written or used last. */
  readonly used: number;
}

/** What one plugin keeps, or the hub's downloads. */
export interface CachePart {
  readonly name: string;
  readonly folder: string;
  readonly entries: readonly CacheEntry[];
}

/** The parts of LMFlow's cache, by name; folders that are empty are none. */
export async function cacheParts(): Promise<CachePart[]> {
  const root = cacheRoot();
  const folders = (await childrenOf(root)).filter((child) => child.isDirectory());
  const parts = await Promise.all(folders.map(({ name }) => cachePart(name, join(root, name))));
  return parts
    .filter(({ entries }) => entries.length > 0)
    .sort((a, b) => a.name.localeCompare(b.name));
}

/** A folder's children, measured; none where there is no folder. */
export async function cachePart(name: string, folder: string): Promise<CachePart> {
  const children = await childrenOf(folder);
  const entries = children.map(async (child) => {
    const path = join(folder, child.name);
    const { bytes, used } = await measured(path);
    return { path, bytes, used: used === 0 ? await written(path) : used };
  });
  return { name, folder, entries: await Promise.all(entries) };
}

/** Bytes of several entries together. */
export function bytesOf(entries: readonly CacheEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** When the youngest of several entries was used last. */
export function lastUse(entries: readonly CacheEntry[]): number {
  return entries.reduce((latest, { used }) => Math.max(latest, used), 0);
}

/** Deletes entries of a part, and its folder where nothing else is in it. */
export async function deleteEntries(
  { folder }: CachePart,
  entries: readonly CacheEntry[],
  signal: AbortSignal,
): Promise<void> {
  for (const { path } of entries) {
    signal.throwIfAborted();
    await rm(path, { recursive: true, force: true });
  }
  // not empty where it has other entries
  await rmdir(folder).catch(() => undefined);
}

async function childrenOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

async function written(path: string): Promise<number> {
  const stats = await lstat(path).catch(() => undefined);
  return stats?.mtimeMs ?? 0;
}

// Links do not count, because their targets are in the cache too. Times of folders do not count,
// because listing a folder changes them.
async function measured(path: string): Promise<{ bytes: number; used: number }> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isFile() === true) {
    return { bytes: stats.size, used: Math.max(stats.atimeMs, stats.mtimeMs) };
  }
  const result = { bytes: 0, used: 0 };
  if (stats?.isDirectory() !== true) return result;
  for (const { name } of await childrenOf(path)) {
    const { bytes, used } = await measured(join(path, name));
    result.bytes += bytes;
    result.used = Math.max(result.used, used);
  }
  return result;
}
