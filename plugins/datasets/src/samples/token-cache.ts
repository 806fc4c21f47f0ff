// Tokenized samples from the cache, or made anew. Runs at the same time do not disturb each other:
// each writes a folder of its own, which takes its place when it is whole.
import { rmSync } from 'node:fs';
import { access, constants, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, type Logger } from '@lmflow/sdk';
import {
  cacheUnwritable,
  markUsed,
  removeAsides,
  writeFolder,
  type Unwritable,
  makeFolder,
} from '@lmflow/sdk/files';
import { StoreWriter, StoredSamples, TOKENS, type StoreFacts } from './sample-store.ts';

/** After so many milliseconds what is half written belongs to a run that was killed. */
const STALE = 24 * 3600 * 1000;

/** Which samples are wanted, and how they are made. */
export interface CacheRequest {
  readonly folder: string;
  readonly key: string;
  /** Make it anew even where it is there. */
  readonly overwrite: boolean;
  readonly log: Logger;
  /** Names of the numbers that each sample has. */
  readonly columns?: readonly string[];
  /** Fills the writer; gives what the index is to say. */
  make(writer: StoreWriter): Promise<Omit<StoreFacts, 'key'>>;
}

/**
 * The samples of a key; `cached` where nothing had to be made. Throws LMFLOW_CACHE_UNWRITABLE where
 * no place can be written to.
 */
export async function fromCache(
  request: CacheRequest,
): Promise<{ readonly samples: StoredSamples; readonly cached: boolean }> {
  const { key, overwrite } = request;
  if (!overwrite) {
    const samples = await StoredSamples.open(join(request.folder, key), key);
    if (samples) {
      await markUsed(join(request.folder, key, TOKENS));
      return { samples, cached: true };
    }
  }
  const folder = join(await writablePlace(request), key);
  const write = async (directory: string): Promise<void> => {
    const writer = new StoreWriter(directory, request.columns);
    try {
      writer.finish({ key, ...(await request.make(writer)) });
    } finally {
      writer.close();
    }
  };
  const unwritable: Unwritable = (_, cause) =>
    cacheUnwritable(request.folder, cause, 'datasetCacheDir');
  // Another run's result is as good, and a broken one is removed.
  const replace = async (): Promise<boolean> => {
    const other = overwrite ? undefined : await StoredSamples.open(folder, key);
    other?.dispose();
    return other === undefined;
  };
  await writeFolder(folder, write, { replace, unwritable });
  const samples = await StoredSamples.open(folder, key);
  if (samples) return { samples, cached: false };
  throw unwritable(folder, 'what was written does not read back');
}

/** The cache, or a folder for this run alone where the cache cannot be written. */
async function writablePlace({ folder, log }: CacheRequest): Promise<string> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK);
    await removeAsides(folder, STALE);
    return folder;
  } catch (error) {
    log.warn(
      `the dataset cache ${folder} cannot be written to (${messageOf(error)}); this run's ` +
        `tokens go to ${tmpdir()} and are not kept`,
    );
  }
  try {
    const place = await mkdtemp(join(tmpdir(), 'lmflow-dataset-'));
    process.once('exit', () => rmSync(place, { recursive: true, force: true }));
    return place;
  } catch (error) {
    throw cacheUnwritable(folder, error, 'datasetCacheDir');
  }
}
