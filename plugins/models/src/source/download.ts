// Fills the cache with what a model needs: config, tokenizer, safetensors. An interrupted download
// goes on where it stopped.
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { FileDownloadInfoOutput } from '@huggingface/hub';
import { LMFlowError, type Logger } from '@lmflow/sdk';
import { readSafetensorsIndex } from '@lmflow/sdk/formats';
import { isPickle } from '../checkpoint/weights.ts';
import { checkpointMissing, checkpointPickle } from '../errors.ts';
import { INDEX, SINGLE, exists, sizeOnDisk, type CachedModel } from './cache.ts';
import { hubFailed, hubUnreachable } from './errors.ts';
import type { HubClient, Repository } from './hub.ts';

const SMALL =
  /^(config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|chat_template\.jinja|additional_chat_templates\/[\w.-]+\.jinja)$/;
const TRIES = 5;

/** Downloads what is not there yet; gives the snapshot's folder. */
export async function download(
  hub: HubClient,
  cached: CachedModel,
  log: Logger,
): Promise<{ readonly folder: string; readonly commit: string }> {
  const { id, revision } = hub.options;
  const repository = await hub.repository();
  const { commit, files } = repository;
  const folder = cached.snapshot(commit);
  const get = async (file: string): Promise<void> => {
    if (!(await exists(join(folder, file)))) await fetchFile(hub, cached, commit, file, log);
  };
  for (const file of files.filter((name) => SMALL.test(name))) await get(file);
  for (const file of await weightFiles(repository, id, folder, get)) await get(file);
  await cached.writeRef(revision, commit);
  return { folder, commit };
}

async function weightFiles(
  { files }: Repository,
  id: string,
  folder: string,
  get: (file: string) => Promise<void>,
): Promise<readonly string[]> {
  if (files.includes(SINGLE)) return [SINGLE];
  if (!files.includes(INDEX)) {
    const pickles = files.filter(isPickle);
    throw pickles.length > 0 ? checkpointPickle(id, pickles) : checkpointMissing(id, files);
  }
  await get(INDEX);
  return (await readSafetensorsIndex(join(folder, INDEX))).shards;
}

async function fetchFile(
  hub: HubClient,
  cached: CachedModel,
  commit: string,
  file: string,
  log: Logger,
): Promise<void> {
  const info = await hub.describe(file, commit);
  const etag = blobName(info.etag);
  const blob = cached.blob(etag);
  await cached.locked(
    etag,
    async () => {
      if (!(await exists(blob))) {
        await complete(hub, info, { commit, file, incomplete: `${blob}.incomplete` }, log);
        await rename(`${blob}.incomplete`, blob);
      }
    },
    (path) => {
      log.progress(
        `waiting for another process that downloads ${file} of ${hub.options.id} (if there is none, delete ${path})`,
      );
    },
    hub.options.signal,
  );
  await cached.link(commit, file, etag);
}

function blobName(etag: string): string {
  const name = etag.replace(/^W\//, '').replaceAll('"', '');
  return /^[\w.-]+$/.test(name) ? name : createHash('sha256').update(etag).digest('hex');
}

interface Target {
  readonly commit: string;
  readonly file: string;
  readonly incomplete: string;
}

/** Appends to the incomplete file until it has its size; tries again after a broken connection. */
async function complete(
  hub: HubClient,
  info: FileDownloadInfoOutput,
  target: Target,
  log: Logger,
): Promise<void> {
  const { id, endpoint, signal } = hub.options;
  const what = `downloading ${target.file} of ${id}`;
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOnDisk(target.incomplete);
    if (before > info.size) await rm(target.incomplete);
    if (before === info.size && (before > 0 || (await exists(target.incomplete)))) return;
    try {
      await append(hub, info, target, before > info.size ? 0 : before, log);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LMFlowError) throw error;
      const after = await sizeOnDisk(target.incomplete);
      if (after > before) attempt = 0;
      else if (attempt >= TRIES) {
        throw error instanceof TypeError && error.message === 'fetch failed'
          ? hubUnreachable(endpoint, error)
          : hubFailed(what, error, target.incomplete);
      }
      await wait(Math.min(8000, 250 * 2 ** attempt), undefined, signal ? { signal } : {});
      continue;
    }
    const size = await sizeOnDisk(target.incomplete);
    if (size === info.size) return;
    if (size > info.size) await rm(target.incomplete);
    if (attempt >= TRIES) {
      throw hubFailed(what, `${size} of ${info.size} bytes came`, target.incomplete);
    }
  }
}

async function append(
  hub: HubClient,
  info: FileDownloadInfoOutput,
  { commit, file, incomplete }: Target,
  from: number,
  log: Logger,
): Promise<void> {
  const { start, body } = await hub.stream(file, commit, info, from);
  let done = start;
  const began = performance.now();
  const meter = new Transform({
    transform(chunk: Uint8Array, _encoding, next) {
      done += chunk.length;
      const rate = (done - start) / ((performance.now() - began) / 1000);
      log.progress(
        `downloading ${hub.options.id}: ${file} ${Math.floor((100 * done) / info.size)}% (${bytes(done)} of ${bytes(info.size)}, ${bytes(rate)}/s)`,
      );
      next(undefined, chunk);
    },
  });
  const target = createWriteStream(incomplete, { flags: start > 0 ? 'a' : 'w' });
  const { signal } = hub.options;
  await pipeline(
    Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]),
    meter,
    target,
    signal ? { signal } : {},
  );
}

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(
    units.length - 1,
    Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)),
  );
  return `${(count / 1000 ** power).toFixed(power > 1 ? 1 : 0)} ${units[power]}`;
}
