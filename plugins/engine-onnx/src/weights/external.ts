// How the model names a weight's file. The runtime takes only relative locations that stay inside one folder, so that folder is the
// root of the file system and locations are paths from there.
import { parse, relative, resolve, sep } from 'node:path';

/** The folder that external locations are relative to (the drive's root on Windows). */
export function externalRoot(path: string = process.cwd()): string {
  return parse(resolve(path)).root;
}

/** A file's location inside `externalRoot`. */
export function externalLocation(path: string): string {
  const absolute = resolve(path);
  return relative(externalRoot(absolute), absolute).split(sep).join('/');
}
