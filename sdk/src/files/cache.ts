// The folder for everything that can be made again, with a sub-folder for each plugin. Downloads
// from the Hugging Face hub are in the hub's cache, which other tools share.
import { stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The cache of all plugins: $LMFLOW_CACHE, $XDG_CACHE_HOME/lmflow or ~/.cache/lmflow. */
export function cacheRoot(): string {
  const { LMFLOW_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  return own || join(shared || join(homedir(), '.cache'), 'lmflow');
}

/**
 * The part of the cache that belongs to a plugin, named by the last part of its package name. Each
 * entry in it (a file, or a folder of files that go together) is used and cleared as a whole.
 */
export function cacheFolder(plugin: string): string {
  return join(cacheRoot(), plugin);
}

/**
 * Notes for `lmflow cache` that a file of the cache is used now, because many systems keep no times
 * of access.
 */
export async function markUsed(path: string): Promise<void> {
  try {
    await utimes(path, new Date(), (await stat(path)).mtime);
  } catch {
    // the cache may be read-only
  }
}
