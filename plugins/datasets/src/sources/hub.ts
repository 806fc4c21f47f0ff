// Data files of a Hugging Face dataset: which ones. Getting them is plugin hub's.
import { join, posix } from 'node:path';
import { isLMFlowError, type Hub } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { isDataFile, selectSplit, splitOf } from './files.ts';
import type { DataFile } from '../readers/data-file.ts';
import type { ReaderTable } from '../readers/reader-table.ts';

/** What of a hub dataset is wanted. */
export interface HubChoice {
  readonly subset?: string | undefined;
  readonly split?: string | undefined;
  readonly revision?: string | undefined;
}

/** What finding files on the hub needs. */
export interface HubContext {
  readonly hub: () => Hub;
  readonly readers: ReaderTable;
  readonly signal?: AbortSignal | undefined;
}

/** Branch where the hub keeps Parquet made of data sets that bring a script or another layout. */
const CONVERTED = 'refs/convert/parquet';
/** Where a repository has files in several types, the first of these is taken. */
const PREFERRED = ['.parquet', '.jsonl', '.json', '.csv', '.txt'];
const USUAL_SUBSETS = ['default', 'main', 'data', 'plain_text', ''];

/** Whether a setting can be the id of a dataset on the hub: `owner/name`. */
export const isHubId = (text: string, readers: ReaderTable): boolean =>
  /^[\w.-]+\/[\w.-]+$/.test(text) && !text.startsWith('.') && readers.for(text) === undefined;

/**
 * The local files of a hub dataset, downloaded where they are not in the cache. Throws LMFLOW_HUB_*,
 * LMFLOW_DATASET_HUB, _SUBSET_UNKNOWN, _SPLIT_UNKNOWN.
 */
export async function hubFiles(
  id: string,
  choice: HubChoice,
  defaults: readonly string[],
  { hub, readers, signal }: HubContext,
): Promise<DataFile[]> {
  const filesOf = async (revision: string | undefined): Promise<DataFile[]> => {
    const { folder, files } = await hub().snapshot({
      kind: 'dataset',
      id,
      revision,
      choose: async (names) => {
        const found = names.filter((name) => isDataFile(name, readers));
        return select(id, found, choice, defaults, readers);
      },
      notLocal: 'no file or folder of this name exists',
      signal,
    });
    return files.map((name) => ({ path: join(folder, name), name: `${id}/${name}` }));
  };
  const files = await filesOf(choice.revision).catch((error: unknown) => {
    // without a network the cache may have the converted files
    if (choice.revision !== undefined || !hasCode(error, 'OFFLINE', 'UNREACHABLE')) throw error;
    return filesOf(CONVERTED).catch(() => Promise.reject(error as Error));
  });
  if (files.length > 0) return files;
  const converted = choice.revision === undefined ? await filesOf(CONVERTED).catch(absent) : [];
  if (converted.length > 0) return converted;
  throw errors.hub(id, `it has no data files that can be read (${readers.extensions.join(', ')})`);
}

function absent(error: unknown): DataFile[] {
  if (hasCode(error, 'REVISION', 'NOT_FOUND')) return [];
  throw error;
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return isLMFlowError(error) && codes.some((code) => error.code === `LMFLOW_HUB_${code}`);
}

/** The files of the wanted subset and split, of one type. */
function select(
  id: string,
  names: readonly string[],
  choice: HubChoice,
  defaults: readonly string[],
  readers: ReaderTable,
): readonly string[] {
  if (names.length === 0) return [];
  const files = bySubset(id, [...names].sort(), choice.subset);
  const type =
    PREFERRED.map((extension) => readers.for(extension)).find(
      (reader) => reader && files.some((name) => readers.for(name) === reader),
    ) ?? readers.for(files[0]!);
  return selectSplit(
    id,
    files.filter((name) => readers.for(name) === type),
    choice.split,
    defaults,
  );
}

/**
 * A subset is a folder, or the beginning of file names (`socratic/train.parquet`,
 * `socratic-train.jsonl`).
 */
function bySubset(
  id: string,
  names: readonly string[],
  wanted: string | undefined,
): readonly string[] {
  const subsetOf = (name: string): string => {
    const first = name.includes('/') ? name.split('/')[0]! : '';
    return splitOf(first) === undefined ? first : '';
  };
  if (wanted === undefined) {
    const subsets = [...new Set(names.map(subsetOf))];
    const chosen =
      subsets.length === 1 ? subsets[0] : USUAL_SUBSETS.find((subset) => subsets.includes(subset));
    if (chosen === undefined) {
      throw errors.hub(
        id,
        `it has several subsets; choose one with \`subset\`: ${subsets.join(', ')}`,
      );
    }
    return names.filter((name) => subsetOf(name) === chosen);
  }
  const chosen = names.filter(
    (name) =>
      name.split('/').slice(0, -1).includes(wanted) ||
      new RegExp(`^${wanted.replace(/\W/g, '\\$&')}[-_.]`).test(posix.basename(name)),
  );
  if (chosen.length === 0) throw errors.subsetUnknown(id, wanted, names);
  return chosen;
}
