// Downloads one file into the cache: it resumes an interrupted download, downloads once for several
// processes, and checks the content against the announced hash.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { FileDownloadInfoOutput } from '@huggingface/hub';
import { LMFlowError, type Logger } from '@lmflow/sdk';
import { diskErrorOf, makeFolder } from '@lmflow/sdk/files';
import { isUnreachable, type HubApi } from './api.ts';
import { hubDamaged, hubFailed, hubUnreachable } from './errors.ts';
import { locked } from './lock.ts';
import { exists, type RepositoryCache } from './repository-cache.ts';
import { sizeText } from './size-text.ts';

/** Tries without a byte of progress before a download is given up. */
const TRIES = 5;

/** Path of a commit's file in the cache, downloaded where it is missing. */
export async function download(
  api: HubApi,
  cached: RepositoryCache,
  commit: string,
  file: string,
  log: Logger,
): Promise<string> {
  const path = join(cached.snapshot(commit), file);
  if (await exists(path)) return path;
  const { subject, signal } = api.options;
  const info = await api.describe(file, commit);
  const etag = blobName(info.etag);
  const blob = cached.blob(etag);
  const lock = `${blob}.lock`;
  const work = async (): Promise<void> => {
    if (await exists(blob)) return;
    const target = { commit, file, incomplete: `${blob}.incomplete` };
    await complete(api, info, target, log);
    if (!(await isIntact(target.incomplete, etag))) {
      await rm(target.incomplete, { force: true });
      throw hubDamaged(`downloading ${file} of ${subject.id}`);
    }
    await rename(target.incomplete, blob);
  };
  const waiting = (): void => {
    log.progress(
      `waiting for another process that downloads ${file} of ${subject.id}; if there is none, delete ${lock}`,
    );
  };
  await locked(lock, work, waiting, signal);
  await cached.link(commit, file, etag);
  return path;
}

function blobName(etag: string): string {
  const name = etag.replace(/^W\//, '').replaceAll('"', '');
  return /^[\w.-]+$/.test(name) ? name : createHash('sha256').update(etag).digest('hex');
}

/** Large files are named by the SHA-256 of their content. */
async function isIntact(path: string, etag: string): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/.test(etag)) return true;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex') === etag;
}

interface Target {
  readonly commit: string;
  readonly file: string;
  readonly incomplete: string;
}

/** Appends to the incomplete file until it has its size; tries again after a broken connection. */
async function complete(
  api: HubApi,
  info: FileDownloadInfoOutput,
  target: Target,
  log: Logger,
): Promise<void> {
  const { subject, endpoint, signal } = api.options;
  const { file, incomplete } = target;
  const what = `downloading ${file} of ${subject.id}`;
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOnDisk(incomplete);
    if (before > info.size) await rm(incomplete);
    if (before === info.size && (before > 0 || (await exists(incomplete)))) return;
    try {
      await append(api, info, target, before > info.size ? 0 : before, log);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LMFlowError || diskErrorOf(error, dirname(incomplete))) throw error;
      const after = await sizeOnDisk(incomplete);
      if (after > before) attempt = 0;
      else if (attempt >= TRIES) {
        throw isUnreachable(error)
          ? hubUnreachable(subject, endpoint, error)
          : hubFailed(what, error, incomplete);
      }
      await wait(Math.min(8000, 250 * 2 ** attempt), undefined, signal ? { signal } : {});
      continue;
    }
    const size = await sizeOnDisk(incomplete);
    if (size === info.size) return;
    if (size > info.size) await rm(incomplete);
    if (attempt >= TRIES) {
      throw hubFailed(what, `${size} of ${info.size} bytes arrived`, incomplete);
    }
  }
}

async function append(
  api: HubApi,
  info: FileDownloadInfoOutput,
  { commit, file, incomplete }: Target,
  from: number,
  log: Logger,
): Promise<void> {
  const { start, body } = await api.stream(file, commit, info, from);
  const { subject, signal } = api.options;
  let done = start;
  const began = performance.now();
  const meter = new Transform({
    transform(chunk: Uint8Array, _encoding, next) {
      done += chunk.length;
      const rate = (done - start) / ((performance.now() - began) / 1000);
      const percent = Math.floor((100 * done) / info.size);
      const sizes = `${sizeText(done)} of ${sizeText(info.size)}, ${sizeText(rate)}/s`;
      log.progress(`downloading ${subject.id}: ${file} ${percent}% (${sizes})`);
      next(undefined, chunk);
    },
  });
  await makeFolder(dirname(incomplete));
  await pipeline(
    Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]),
    meter,
    createWriteStream(incomplete, { flags: start > 0 ? 'a' : 'w' }),
    signal ? { signal } : {},
  );
}

async function sizeOnDisk(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
