// Errors of writing: the output of a command, or the cache. Errors of reading are in the packages that
// read.
import { resolve, sep } from 'node:path';
import { isLMFlowError, messageOf, type LMFlowError, usageError, failureError } from '../errors.ts';

const REFUSALS = new Set([
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'EROFS',
  'EACCES',
  'EPERM',
  'EIO',
  'ENOTDIR',
]);

/**
 * The system's error where the disk or its permissions refused (no space, read-only, not allowed,
 * broken) in `folder` or where the system does not say; also inside an LMFlowError such as the one
 * that the kernel makes of what a tap throws.
 */
export function diskErrorOf(error: unknown, folder: string): Error | undefined {
  const cause = isLMFlowError(error) ? error.cause : error;
  if (!(cause instanceof Error)) return undefined;
  const { code, path } = cause as NodeJS.ErrnoException;
  if (!REFUSALS.has(code ?? '')) return undefined;
  return path === undefined || `${resolve(path)}${sep}`.startsWith(resolve(folder) + sep)
    ? cause
    : undefined;
}

/** LMFLOW_OUTPUT_NOT_EMPTY: the output folder is not empty. */
export function outputNotEmpty(folder: string): LMFlowError {
  return usageError(
    'LMFLOW_OUTPUT_NOT_EMPTY',
    `the output folder ${folder} is not empty, and its files would mix with those of the model`,
    { hint: 'Name a new folder, or empty this one.' },
  );
}

/** LMFLOW_OUTPUT_UNWRITABLE: the output cannot be written. */
export function outputUnwritable(path: string, cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_OUTPUT_UNWRITABLE',
    `${path} cannot be written: ${messageOf(cause)}`,
    { cause, hint: 'Name a place that has room and that you may write to.' },
  );
}

/**
 * LMFLOW_CACHE_UNWRITABLE: the cache cannot be written. `setting` is the option, `variable` the
 * variable of the environment that names another place for this part of it.
 */
export function cacheUnwritable(
  folder: string,
  cause: unknown,
  setting: string,
  variable = 'LMFLOW_CACHE',
): LMFlowError {
  return failureError(
    'LMFLOW_CACHE_UNWRITABLE',
    `the cache ${folder} cannot be written: ${messageOf(cause)}`,
    {
      cause,
      hint: `Set ${setting} (or ${variable}) to a folder that has room and that you may write to.`,
    },
  );
}
