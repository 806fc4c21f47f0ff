// One process at a time: a file beside what it works on, with its process id.
import { open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isRunning, makeFolder, readWhole } from '@lmflow/sdk/files';

/** Milliseconds in which a process that made a lock has written its id into it. */
const GRACE = 10_000;

/**
 * Runs `work` while no other process holds the lock; `waiting` is called as long as one does. A
 * lock whose process is gone is taken over.
 */
export async function locked<T>(
  path: string,
  work: () => Promise<T>,
  waiting: () => void,
  signal?: AbortSignal,
): Promise<T> {
  await makeFolder(dirname(path));
  while (!(await take(path))) {
    waiting();
    await wait(200, undefined, signal ? { signal } : {});
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
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
  const holder = Number(await readWhole(path).catch(() => ''));
  // A lock without an id is new, or its process died before writing the id.
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
  if (holder > 0 ? !isRunning(holder) : Date.now() - mtimeMs > GRACE) {
    await rm(path, { force: true });
  }
  return false;
}
