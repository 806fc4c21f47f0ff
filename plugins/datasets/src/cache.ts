// Where stores of tokenized samples lie, and getting one: from the cache, or made anew. Runs at the
// same time do not disturb each other: each writes a folder of its own and renames it; the first
// one wins.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@lmflow/sdk';
import * as errors from './errors.ts';
import { StoreWriter, StoredSamples, type StoreIndex } from './store.ts';

const ASIDE = '.writing-';
const STALE = 24 * 3600 * 1000;

/**
 * The folder of the cache: the option, $LMFLOW_CACHE/datasets, $XDG_CACHE_HOME/lmflow/datasets,
 * ~/.cache/lmflow/datasets.
 */
export function cacheFolder(option: string | undefined): string {
  if (option !== undefined) return option;
  if (process.env['LMFLOW_CACHE']) return join(process.env['LMFLOW_CACHE'], 'datasets');
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lmflow', 'datasets');
}

export interface CacheRequest {
  readonly folder: string;
  readonly key: string;
  /** Make it anew even where it is there. */
  readonly overwrite: boolean;
  readonly log: Logger;
  /** Fills the writer; gives what the index is to say. */
  make(
    writer: StoreWriter,
  ): Promise<Omit<StoreIndex, 'version' | 'key' | 'tokensHash' | 'offsetsHash'>>;
}

/**
 * The samples of a key; `cached` where nothing had to be made. Throws LMFLOW_DATASET_CACHE where no
 * place can be written to.
 */
export async function fromCache(
  request: CacheRequest,
): Promise<{ readonly samples: StoredSamples; readonly cached: boolean }> {
  const folder = join(request.folder, request.key);
  if (!request.overwrite) {
    const samples = await StoredSamples.open(folder, request.key);
    if (samples) return { samples, cached: true };
  }
  const aside = makeAside(request);
  const writer = new StoreWriter(aside);
  try {
    writer.finish({ key: request.key, ...(await request.make(writer)) });
  } catch (error) {
    writer.close();
    rmSync(aside, { recursive: true, force: true });
    throw isDiskError(error) ? errors.cacheUnwritable(aside, error) : error;
  }
  const place = await settle(aside, folder, request);
  const samples = await StoredSamples.open(place, request.key);
  if (!samples) {
    throw errors.cacheUnwritable(place, new Error('what was written could not be read back'));
  }
  return { samples, cached: false };
}

/**
 * A new folder beside its later place; in the system's temporary folder where the cache cannot be
 * written to.
 */
function makeAside({ folder, key, log }: CacheRequest): string {
  try {
    mkdirSync(folder, { recursive: true });
    removeStale(folder);
    return mkdtempSync(join(folder, `${key}${ASIDE}`));
  } catch (error) {
    log.warn(
      `the dataset cache ${folder} cannot be written to (${(error as Error).message}); this run's tokens go to ${tmpdir()} and are not kept`,
    );
  }
  try {
    const place = mkdtempSync(join(tmpdir(), 'lmflow-dataset-'));
    process.once('exit', () => rmSync(place, { recursive: true, force: true }));
    return place;
  } catch (error) {
    throw errors.cacheUnwritable(folder, error);
  }
}

/** Moves the finished folder to its place; gives where it lies now. */
async function settle(
  aside: string,
  folder: string,
  { key, overwrite }: CacheRequest,
): Promise<string> {
  if (!aside.startsWith(folder)) return aside;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      renameSync(aside, folder);
      return folder;
    } catch {
      // something is there: another run's result, which is as good as ours, or a broken one, which
      // makes way
      const other = overwrite ? undefined : await StoredSamples.open(folder, key);
      if (other) {
        other.dispose();
        rmSync(aside, { recursive: true, force: true });
        return folder;
      }
      try {
        const away = `${aside}.old`;
        renameSync(folder, away);
        rmSync(away, { recursive: true, force: true });
      } catch {
        // another run moved it first
      }
    }
  }
  return aside;
}

/** Removes what runs that were killed have left. */
function removeStale(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!name.includes(ASIDE)) continue;
    try {
      if (Date.now() - statSync(path).mtimeMs > STALE) {
        rmSync(path, { recursive: true, force: true });
      }
    } catch {
      // another run removed it
    }
  }
}

const isDiskError = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EFBIG'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  );
