// Data files of a Hugging Face dataset: which ones, and getting them into the hub's standard cache
// (shared with Python).
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import {
  HubApiError,
  datasetInfo,
  getHFHubCachePath,
  getRepoFolderName,
  listFiles,
} from '@huggingface/hub';
import type { Logger } from '@lmflow/sdk';
import { download } from './download.ts';
import * as errors from './errors.ts';
import { isDataFile, selectSplit, splitOf, type DataFile } from './files.ts';
import { readerFor, readers } from './readers/index.ts';

/** What of a hub dataset is wanted. */
export interface HubChoice {
  readonly subset?: string | undefined;
  readonly split?: string | undefined;
  readonly revision?: string | undefined;
}

export interface HubContext {
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
}

/** Branch where the hub keeps Parquet made of data sets that bring a script or another layout. */
const CONVERTED = 'refs/convert/parquet';
/** Where a repository has files in several types, the first of these is taken. */
const PREFERRED = ['.parquet', '.jsonl', '.json', '.csv', '.txt'].map((extension) =>
  readerFor(`x${extension}`),
);
const USUAL_SUBSETS = ['default', 'main', 'data', 'plain_text', ''];

const isOffline = (): boolean => /^(1|true|yes|on)$/i.test(process.env['HF_HUB_OFFLINE'] ?? '');

/** Whether a setting can be the id of a dataset on the hub: `owner/name`. */
export const isHubId = (text: string): boolean =>
  /^[\w.-]+\/[\w.-]+$/.test(text) && !text.startsWith('.') && readerFor(text) === undefined;

/**
 * The local files of a hub dataset, downloaded where they are not in the cache. HF_TOKEN,
 * HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE hold. Throws LMFLOW_DATASET_HUB, _OFFLINE,
 * _SUBSET_UNKNOWN, _SPLIT_UNKNOWN.
 */
export async function hubFiles(
  id: string,
  choice: HubChoice,
  defaults: readonly string[],
  context: HubContext,
): Promise<DataFile[]> {
  const folder = join(getHFHubCachePath(), getRepoFolderName({ type: 'dataset', name: id }));
  const revisions = choice.revision === undefined ? ['main', CONVERTED] : [choice.revision];
  if (isOffline()) return cached(id, folder, revisions, choice, defaults, 'HF_HUB_OFFLINE is set');
  try {
    for (const revision of revisions) {
      const found = await fetched(id, folder, revision, choice, defaults, context);
      if (found.length > 0) return found;
    }
  } catch (error) {
    context.signal?.throwIfAborted();
    if (error instanceof HubApiError) throw errors.hub(id, refusal(error), error);
    if (!isNetworkError(error)) throw error;
    const why = `${endpoint()} cannot be reached (${networkReason(error)})`;
    const files = cached(id, folder, revisions, choice, defaults, why, error);
    context.log.warn(`${why}; using the files of ${id} in the cache`);
    return files;
  }
  throw errors.hub(
    id,
    `it has no data files that can be read (${readers.flatMap((reader) => reader.extensions).join(', ')}).`,
  );
}

async function fetched(
  id: string,
  folder: string,
  revision: string,
  choice: HubChoice,
  defaults: readonly string[],
  context: HubContext,
): Promise<DataFile[]> {
  const access = { hubUrl: endpoint(), fetch: authorized(context.signal) };
  let commit: string;
  try {
    commit = (await datasetInfo({ name: id, revision, additionalFields: ['sha'], ...access })).sha;
  } catch (error) {
    if (revision === CONVERTED && error instanceof HubApiError) return [];
    throw error;
  }
  const sizes = new Map<string, number>();
  const tags = new Map<string, string>();
  for await (const entry of listFiles({
    repo: { type: 'dataset', name: id },
    recursive: true,
    revision: commit,
    ...access,
  })) {
    if (entry.type !== 'file' || !isDataFile(entry.path)) continue;
    sizes.set(entry.path, entry.size);
    tags.set(entry.path, entry.lfs?.oid ?? entry.oid ?? entry.path.replaceAll('/', '--'));
  }
  const names = select(id, [...sizes.keys()], choice, defaults);
  for (const name of names) {
    const url = `${endpoint()}/datasets/${id}/resolve/${commit}/${name.split('/').map(encodeURIComponent).join('/')}`;
    await download({
      url,
      token: token(),
      size: sizes.get(name)!,
      blob: join(folder, 'blobs', tags.get(name)!),
      link: join(folder, 'snapshots', commit, name),
      name: `${id}/${name}`,
      ...context,
    });
  }
  if (names.length > 0) await writeReference(join(folder, 'refs', revision), commit);
  return names.map((name) => ({
    path: join(folder, 'snapshots', commit, name),
    name: `${id}/${name}`,
  }));
}

async function writeReference(path: string, commit: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, commit);
  await rename(aside, path);
}

/** Files of the dataset that an earlier run left in the cache. */
function cached(
  id: string,
  folder: string,
  revisions: readonly string[],
  choice: HubChoice,
  defaults: readonly string[],
  why: string,
  cause?: unknown,
): DataFile[] {
  for (const revision of revisions) {
    const reference = join(folder, 'refs', revision);
    const commit = existsSync(reference) ? readFileSync(reference, 'utf8').trim() : revision;
    const snapshot = join(folder, 'snapshots', commit);
    if (!existsSync(snapshot)) continue;
    const all = readdirSync(snapshot, { recursive: true, encoding: 'utf8' }).map((name) =>
      name.replaceAll('\\', '/'),
    );
    const names = select(id, all.filter(isDataFile).sort(), choice, defaults);
    if (names.length > 0) {
      return names.map((name) => ({ path: join(snapshot, name), name: `${id}/${name}` }));
    }
  }
  throw errors.offline(id, why, folder, cause);
}

/** The files of the wanted subset and split, of one type. */
function select(
  id: string,
  names: readonly string[],
  choice: HubChoice,
  defaults: readonly string[],
): readonly string[] {
  if (names.length === 0) return [];
  const files = bySubset(id, [...names].sort(), choice.subset);
  const type =
    PREFERRED.find((reader) => files.some((name) => readerFor(name) === reader)) ??
    readerFor(files[0]!);
  return selectSplit(
    id,
    files.filter((name) => readerFor(name) === type),
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
        `it has several subsets; choose one with \`subset\`: ${subsets.join(', ')}.`,
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

const endpoint = (): string =>
  (process.env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');
const token = (): string | undefined =>
  process.env['HF_TOKEN'] || process.env['HUGGING_FACE_HUB_TOKEN'];
/**
 * fetch with the token, whatever it looks like (mirrors have tokens of their own), and the signal.
 */
const authorized =
  (signal: AbortSignal | undefined): typeof fetch =>
  (input, init) => {
    const headers = new Headers(init?.headers);
    if (token()) headers.set('Authorization', `Bearer ${token()}`);
    return fetch(input, { ...init, headers, ...(signal ? { signal } : {}) });
  };

/** fetch reports an unreachable host as a TypeError with the reason as its cause. */
const isNetworkError = (error: unknown): boolean =>
  error instanceof TypeError && /fetch failed|terminated|network/i.test(error.message);
const networkReason = (error: unknown): string => {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  return cause?.code ?? cause?.message ?? (error as Error).message;
};

function refusal(error: HubApiError): string {
  if (error.statusCode === 401 || error.statusCode === 403) {
    return `access was refused (${error.statusCode}). It may be private, gated or misspelt: accept its terms on the hub and set HF_TOKEN.`;
  }
  if (error.statusCode === 404) {
    return 'it does not exist there (404), or the revision does not. Check the id and the revision; a local path of this name does not exist either.';
  }
  return `the hub answered ${error.statusCode}: ${error.message}. Try again later, or give the files as a local folder.`;
}
