// The locations of weights' files in a model. The runtime takes only relative locations inside one
// folder, so that folder is the root of the file system.
import { statSync } from 'node:fs';
import { parse, relative, resolve, sep } from 'node:path';
import { BYTES, sizeOf, type FileWeight } from '@lmflow/sdk/graph';
import { weightUnreadable } from '../errors.ts';

const rootOf = (path: string): string => parse(resolve(path)).root;

/**
 * The folder that external locations are relative to. Throws LMFLOW_ENGINE_WEIGHT_UNREADABLE where
 * (on Windows) files are on several drives.
 */
export function externalRoot(weights: readonly FileWeight[]): string {
  const roots = new Map(weights.map(({ path }) => [rootOf(path), path]));
  const [first = rootOf('.'), second] = roots.keys();
  if (second !== undefined) {
    throw weightUnreadable(
      roots.get(second)!,
      `other weights of the program are on another drive, ${first}`,
      "Set engineOnnx.cacheDir to a folder on the model's drive.",
    );
  }
  return first;
}

/** A file's location inside `externalRoot`. */
export function externalLocation(path: string): string {
  return relative(rootOf(path), resolve(path)).split(sep).join('/');
}

/**
 * Checks that each file is there and long enough for its weights. Throws
 * LMFLOW_ENGINE_WEIGHT_UNREADABLE.
 */
export function checkFiles(weights: Iterable<FileWeight>): void {
  const sizes = new Map<string, number>();
  for (const { path, offset, shape, dtype } of weights) {
    const size = sizes.get(path) ?? fileFacts(path).size;
    sizes.set(path, size);
    const end = offset + sizeOf(shape) * BYTES[dtype];
    if (end > size) {
      throw weightUnreadable(path, `the file has ${size} bytes, but a weight ends at byte ${end}`);
    }
  }
}

/** Size and modification time of a weight's file. Throws LMFLOW_ENGINE_WEIGHT_UNREADABLE. */
export function fileFacts(path: string): { readonly size: number; readonly mtimeMs: number } {
  try {
    return statSync(path);
  } catch (error) {
    throw weightUnreadable(path, error);
  }
}
