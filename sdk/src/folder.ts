// Folders of results that appear whole: written beside their place, renamed into it at the end.
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { LMFlowError, messageOf } from './errors.ts';

/**
 * Calls `write` with an empty folder, which takes the place of `folder` when it is done. Throws
 * LMFLOW_OUTPUT_NOT_EMPTY before any work, LMFLOW_OUTPUT_UNWRITABLE where the system refuses.
 */
export async function writeFolder<T>(
  folder: string,
  write: (directory: string) => Promise<T>,
): Promise<T> {
  const target = resolve(folder);
  const present = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw outputUnwritable(target, error);
  });
  if (present !== undefined && present.length > 0) throw outputNotEmpty(target);
  const aside = join(dirname(target), `.writing-${basename(target)}-${process.pid}`);
  try {
    await mkdir(aside, { recursive: true });
    const result = await write(aside);
    if (present) await rmdir(target);
    await rename(aside, target);
    return result;
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw isSystemError(error) ? outputUnwritable(target, error) : error;
  }
}

/** Whether the operating system refused (no space, no permission, ...). */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** LMFLOW_OUTPUT_NOT_EMPTY: the output folder has something in it already. */
function outputNotEmpty(folder: string): LMFlowError {
  return new LMFlowError(
    'LMFLOW_OUTPUT_NOT_EMPTY',
    `the output folder ${folder} is not empty: a model beside other files could be mistaken for them`,
    { hint: 'Name a new folder, or empty this one.' },
  );
}

/** LMFLOW_OUTPUT_UNWRITABLE: the output cannot be written. */
export function outputUnwritable(path: string, cause: unknown): LMFlowError {
  return new LMFlowError(
    'LMFLOW_OUTPUT_UNWRITABLE',
    `${path} cannot be written: ${messageOf(cause)}`,
    { cause },
  );
}
