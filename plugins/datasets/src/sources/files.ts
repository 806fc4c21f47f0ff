// Which files a dataset entry means: one file, the files of a folder, or a selection by subset and
// split.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { kindOf } from '@lmflow/sdk/files';
import * as errors from '../errors.ts';
import type { DataFile } from '../readers/data-file.ts';
import type { ReaderTable } from '../readers/reader-table.ts';

/** Names of splits, and what people also call them. */
const SPLITS: Readonly<Record<string, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev', 'eval'],
  test: ['test', 'testing'],
};

/** Data files that describe others. */
const DESCRIPTIONS = new Set([
  'dataset_info.json',
  'dataset_infos.json',
  'dataset_dict.json',
  'state.json',
  'license.txt',
  'readme.txt',
]);

/** Whether a file holds records, by its name. */
export const isDataFile = (name: string, readers: ReaderTable): boolean => {
  const base = basename(name).toLowerCase();
  return !base.startsWith('.') && !DESCRIPTIONS.has(base) && readers.for(base) !== undefined;
};

/**
 * The files of a local path. Throws LMFLOW_DATASET_NOT_FOUND, _FILE_TYPE, _FOLDER_EMPTY,
 * _FOLDER_MIXED, _SPLIT_UNKNOWN.
 */
export function localFiles(
  path: string,
  choice: { readonly subset?: string | undefined; readonly split?: string | undefined },
  defaults: readonly string[],
  readers: ReaderTable,
): DataFile[] {
  const folder = choice.subset === undefined ? path : join(path, choice.subset);
  if (!existsSync(folder)) throw errors.notFound(folder, neighbours(folder));
  const found = statSync(folder);
  if (!found.isDirectory()) {
    if (!found.isFile()) throw errors.notRegular(path, kindOf(found));
    if (!readers.for(path)) throw errors.fileType(path, readers.extensions);
    return [{ path, name: basename(path) }];
  }
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const isFolder = (name: string): boolean => statSync(join(folder, name)).isDirectory();
  const names = entries
    .map((entry) => entry.name)
    .filter((name) => isDataFile(name, readers) && !isFolder(name));
  if (names.length === 0) {
    const folders = entries
      .map((entry) => entry.name)
      .filter((name) => !name.startsWith('.') && isFolder(name));
    if (choice.split !== undefined && folders.includes(choice.split)) {
      return localFiles(join(folder, choice.split), {}, defaults, readers);
    }
    throw errors.folderEmpty(folder, folders, readers.extensions);
  }
  const chosen = selectSplit(folder, names, choice.split, defaults);
  return oneType(folder, chosen, readers).map((name) => ({
    path: join(folder, name),
    name,
  }));
}

const neighbours = (path: string): string[] => {
  const folder = dirname(path);
  return existsSync(folder) && statSync(folder).isDirectory()
    ? readdirSync(folder).map((name) =>
        folder === '.' && !path.startsWith('.') ? name : join(folder, name),
      )
    : [];
};

/** Refuses a mixture of types; gives the names back. */
function oneType(where: string, names: readonly string[], readers: ReaderTable): readonly string[] {
  const types = new Map(names.map((name) => [readers.for(name), name] as const));
  if (types.size > 1) {
    throw errors.folderMixed(
      where,
      [...types.values()].map((name) => basename(name)),
    );
  }
  return names;
}

/**
 * The split a file's path names (`data/train-00000.parquet`, `test.jsonl`), under its usual name.
 */
export function splitOf(name: string): string | undefined {
  const words = name.toLowerCase().split(/[^a-z]+/);
  return Object.entries(SPLITS).find(([, synonyms]) =>
    synonyms.some((word) => words.includes(word)),
  )?.[0];
}

/**
 * The files of a split. Without `wanted`: the first of `defaults` that some file names; all files
 * where none names a split. Throws LMFLOW_DATASET_SPLIT_UNKNOWN.
 */
export function selectSplit(
  where: string,
  names: readonly string[],
  wanted: string | undefined,
  defaults: readonly string[],
): readonly string[] {
  const found = [...new Set(names.map(splitOf).filter((split) => split !== undefined))];
  if (wanted === undefined) {
    const isOneSplit = found.length === 1 && names.every((name) => splitOf(name) !== undefined);
    if (found.length === 0 || isOneSplit) return names;
    const split = defaults.find((candidate) => found.includes(candidate));
    if (split === undefined) throw errors.splitUnknown(where, defaults[0]!, found);
    return names.filter((name) => splitOf(name) === split);
  }
  const usual =
    Object.entries(SPLITS).find(([, synonyms]) => synonyms.includes(wanted))?.[0] ?? wanted;
  const literal = names.filter((name) =>
    name
      .toLowerCase()
      .split(/[^a-z0-9_]+/)
      .some((word) => word === wanted.toLowerCase() || word.startsWith(`${wanted.toLowerCase()}_`)),
  );
  const files = names.filter((name) => splitOf(name) === usual);
  // a set may have dev and validation: the name itself comes first
  const chosen = literal.length > 0 ? literal : files;
  if (chosen.length === 0) throw errors.splitUnknown(where, wanted, found);
  return chosen;
}
