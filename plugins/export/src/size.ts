// Folders that appear whole: written beside their place, renamed into it at the end.
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { outputNotEmpty, outputUnwritable, sizeInvalid } from './errors.ts';

/** Calls `write` with an empty folder, which takes the place of `folder` when it is done. Throws LMFLOW_EXPORT_NOT_EMPTY before any work. */
export async function writeFolder<T>(folder: string, write: (directory: string) => Promise<T>): Promise<T> {
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

const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 };

/** `5GB`, `1GiB`, `200MB` or a number of bytes; throws LMFLOW_EXPORT_SIZE. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = UNITS[(unit ?? '?').toUpperCase()];
  const bytes = factor === undefined ? 0 : Math.floor(Number(digits) * factor);
  if (bytes < 1) throw sizeInvalid(text);
  return bytes;
}

/** For messages: 1.2 GB. */
export function sizeText(bytes: number): string {
  const unit = ['B', 'KB', 'MB', 'GB', 'TB'][Math.min(4, Math.floor(Math.log10(Math.max(1, bytes)) / 3))]!;
  const amount = bytes / UNITS[unit]!;
  return `${unit === 'B' ? amount : amount.toFixed(amount < 10 ? 2 : 1)} ${unit}`;
}
