// Where a model is: a local folder, or (by a Hugging Face id) the hub's cache, filled from the hub
// where it is not complete.
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { isLMFlowError, type Logger } from '@lmflow/sdk';
import type { ModelRequest } from '@lmflow/sdk/model';
import { modelNotFound } from '../errors.ts';
import type { ModelOptions } from '../options.ts';
import { CachedModel, isCommit } from './cache.ts';
import { download } from './download.ts';
import { hubCacheFolder, hubEndpoint, hubToken, offlineVariable } from './environment.ts';
import { hubOffline } from './errors.ts';
import { HubClient } from './hub.ts';

export interface FoundFolder {
  readonly folder: string;
  /** The commit, for a model from the hub. */
  readonly revision?: string;
}

/** Finds or downloads a model; throws LMFLOW_MODEL_NOT_FOUND or LMFLOW_HUB_*. */
export async function findFolder(
  request: ModelRequest,
  options: ModelOptions,
  log: Logger,
): Promise<FoundFolder> {
  const { source } = request;
  const folder = resolve(source.replace(/^~(?=[/\\]|$)/, homedir()));
  const local = await stat(folder).catch(() => undefined);
  if (local?.isDirectory()) return { folder };
  if (local) {
    throw modelNotFound(
      source,
      `${folder} is a file`,
      'Name the folder that has config.json, tokenizer.json and the safetensors files.',
    );
  }
  if (!isHubId(source)) {
    throw modelNotFound(
      source,
      `the folder ${folder} does not exist`,
      'Models of the Hugging Face hub are named "organisation/name".',
    );
  }
  return fromHub(request, folder, options, log);
}

/** `name` or `organisation/name`, by the hub's rules. */
export function isHubId(source: string): boolean {
  return (
    /^(?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9][\w.-]{0,95}$/.test(source) &&
    !/--|\.\.|\.git$/.test(source)
  );
}

async function fromHub(
  { source, revision = 'main', signal }: ModelRequest,
  localFolder: string,
  options: ModelOptions,
  log: Logger,
): Promise<FoundFolder> {
  const cached = new CachedModel(resolve(options.cacheDir ?? hubCacheFolder()), source);
  const here = await cached.find(revision);
  const found = (): FoundFolder => ({ folder: here.folder, revision: here.folder.slice(-40) });
  if (here.state === 'complete' && isCommit(revision)) return found();
  const variable = offlineVariable();
  if (options.localFilesOnly || variable !== undefined) {
    if (here.state === 'complete') return found();
    throw hubOffline(
      source,
      revision,
      cached.cache,
      here.state,
      options.localFilesOnly ? 'localFilesOnly is set' : `${variable!} is set`,
    );
  }
  const hub = new HubClient({
    endpoint: hubEndpoint(),
    token: await hubToken(),
    id: source,
    revision,
    localFolder,
    signal,
  });
  try {
    const { folder, commit } = await download(hub, cached, log);
    return { folder, revision: commit };
  } catch (error) {
    if (
      here.state !== 'complete' ||
      !isLMFlowError(error) ||
      error.code !== 'LMFLOW_HUB_UNREACHABLE'
    ) {
      throw error;
    }
    log.warn(
      `${error.message}; using the copy of ${source} in ${here.folder}, which may not be the newest`,
    );
    return found();
  }
}
