// The HUB service: which commit a revision is, which of its files are wanted, and whether the hub or
// the cache answers that.
import { join } from 'node:path';
import {
  isLMFlowError,
  type Hub,
  type HubRequest,
  type HubSnapshot,
  type Logger,
} from '@lmflow/sdk';
import { diskErrorOf, markUsed } from '@lmflow/sdk/files';
import { HubApi } from './api.ts';
import { download } from './download.ts';
import { hubCacheFolder, hubEndpoint, hubToken, offlineVariable } from './environment.ts';
import { hubOffline, type Subject } from './errors.ts';
import type { HubOptions } from './options.ts';
import { RepositoryCache, exists, hubCacheUnwritable, isCommit } from './repository-cache.ts';

/** What of a revision is in the cache. */
type Cached =
  | { readonly state: 'complete'; readonly snapshot: HubSnapshot }
  | { readonly state: 'partial' | 'absent' };

/** The client of the Hugging Face hub. */
export class HuggingFaceHub implements Hub {
  constructor(
    private readonly options: HubOptions,
    private readonly log: Logger,
  ) {}

  async snapshot(request: HubRequest): Promise<HubSnapshot> {
    const snapshot = await this.#find(request);
    for (const file of snapshot.files) await markUsed(join(snapshot.folder, file));
    return snapshot;
  }

  async #find(request: HubRequest): Promise<HubSnapshot> {
    const { kind, id, revision = 'main' } = request;
    const cached = new RepositoryCache(hubCacheFolder(this.options.cacheDir), request);
    const forbidden = this.#forbidden(kind);
    // The files of a model say which others it needs; a data set may have more than the cache has.
    if (forbidden !== undefined || (kind === 'model' && isCommit(revision))) {
      const here = await inCache(cached, request, revision);
      if (here.state === 'complete') return here.snapshot;
      if (forbidden !== undefined) {
        throw hubOffline({ kind, id, revision }, cached.cache, here.state, forbidden);
      }
    }
    try {
      return await this.#download(cached, request, { kind, id, revision });
    } catch (error) {
      const disk = diskErrorOf(error, cached.cache);
      if (disk) throw hubCacheUnwritable(cached.cache, disk);
      if (!isLMFlowError(error) || error.code !== 'LMFLOW_HUB_UNREACHABLE') throw error;
      const here = await inCache(cached, request, revision);
      if (here.state !== 'complete') throw error;
      const { folder } = here.snapshot;
      this.log.warn(
        `${error.message}; using the copy of ${id} in ${folder}, which may not be the newest`,
      );
      return here.snapshot;
    }
  }

  /** Why the network must not be used. */
  #forbidden(kind: HubRequest['kind']): string | undefined {
    if (this.options.localFilesOnly) return 'localFilesOnly is set';
    const variable = offlineVariable(kind);
    return variable && `${variable} is set`;
  }

  async #download(
    cached: RepositoryCache,
    { choose, notLocal, signal }: HubRequest,
    subject: Subject,
  ): Promise<HubSnapshot> {
    const api = new HubApi({
      endpoint: hubEndpoint(),
      token: await hubToken(),
      subject,
      notLocal,
      signal,
    });
    const { commit, files: all } = await api.list();
    const get = (file: string): Promise<string> => download(api, cached, commit, file, this.log);
    const files = await choose(all, get);
    for (const file of files) await get(file);
    if (files.length > 0) await cached.writeRef(subject.revision, commit);
    return { folder: cached.snapshot(commit), commit, files };
  }
}

async function inCache(
  cached: RepositoryCache,
  { choose }: HubRequest,
  revision: string,
): Promise<Cached> {
  const commit = await cached.commitOf(revision);
  const all = commit === undefined ? [] : await cached.files(commit);
  if (commit === undefined || all.length === 0) return { state: 'absent' };
  const folder = cached.snapshot(commit);
  const get = async (file: string): Promise<string> => join(folder, file);
  try {
    const files = await choose(all, get);
    const here = await Promise.all(files.map((file) => exists(join(folder, file))));
    if (files.length > 0 && here.every(Boolean)) {
      return { state: 'complete', snapshot: { folder, commit, files } };
    }
  } catch (error) {
    // The choice fails where files are missing in the cache.
    if (!isLMFlowError(error)) throw error;
  }
  return { state: 'partial' };
}
