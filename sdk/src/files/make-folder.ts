// Makes a folder and those above it. Not mkdir's `recursive`, which in Node.js 20 never ends where a
// system refuses new folders as if those above were missing (/proc).
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { kindOf } from './regular.ts';

/** Makes a folder, with those above it; one that is there already is fine. Throws the system's error. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await mkdir(path).catch(unlessFolder(path));
    } else await unlessFolder(path)(error);
  }
}

const unlessFolder =
  (path: string) =>
  async (error: unknown): Promise<void> => {
    const there = await stat(path).catch(() => undefined);
    if (!there) throw error;
    if (there.isDirectory()) return;
    const refused = new Error(`${path} is ${kindOf(there)}, not a folder`, { cause: error });
    throw Object.assign(refused, { code: 'ENOTDIR', path });
  };
