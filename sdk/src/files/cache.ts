// Where everything lies that can be made again: one folder for all plugins, a folder in it for each.
// What comes from the Hugging Face hub lies in the hub's own cache, which other tools share.
import { stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The cache of all plugins: $LMFLOW_CACHE, $XDG_CACHE_HOME/lmflow or ~/.cache/lmflow. */
export function cacheRoot(): string {
  const { LMFLOW_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  return own || join(shared || join(homedir(), '.cache'), 'lmflow');
}

/**
 * The part of the cache that belongs to a plugin, named by the last part of its package name. What
 * lies directly in it (a file, or a folder of files that go together) is used and cleared as one.
 */
export function cacheFolder(plugin: string): string {
  return join(cacheRoot(), plugin);
}

/**
 * Notes that a file of the cache is used now, for `lmflow cache`: systems that keep no times of
 * access do not say.
 */
export async function markUsed(path: string): Promise<void> {
  try {
    await utimes(path, new Date(), (await stat(path)).mtime);
  } catch {
    // a cache that may only be read
  }
}
