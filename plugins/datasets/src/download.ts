// One file over HTTP into the hub's cache: written aside, resumed where it was broken off, renamed
// when complete, linked by name.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HubApiError } from '@huggingface/hub';
import type { Logger } from '@lmflow/sdk';
import * as errors from './errors.ts';

export interface DownloadRequest {
  readonly url: string;
  readonly token?: string | undefined;
  /** Bytes it must have. */
  readonly size: number;
  /** Where the content lies, under the name of its hash. */
  readonly blob: string;
  /** The file's name in the snapshot, a link to the blob. */
  readonly link: string;
  /** For messages. */
  readonly name: string;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes sure that `link` exists; downloads what is missing. Throws LMFLOW_DATASET_HUB for a file
 * that arrives incomplete, HubApiError for a refusal.
 */
export async function download(request: DownloadRequest): Promise<void> {
  if (existsSync(request.link)) return;
  if (!existsSync(request.blob)) await fetchBlob(request);
  await mkdir(dirname(request.link), { recursive: true });
  try {
    await symlink(relative(dirname(request.link), request.blob), request.link);
  } catch (error) {
    // another process was faster, or the file system has no links
    if (!existsSync(request.link)) {
      await copyFile(request.blob, request.link).catch(() => Promise.reject(error as Error));
    }
  }
}

async function fetchBlob(request: DownloadRequest): Promise<void> {
  const { log, name, size, signal } = request;
  const incomplete = `${request.blob}.incomplete`;
  await mkdir(dirname(request.blob), { recursive: true });
  const left = existsSync(incomplete) ? statSync(incomplete).size : 0;
  const had = left < size ? left : 0;
  const headers = {
    ...(request.token ? { Authorization: `Bearer ${request.token}` } : {}),
    ...(had > 0 ? { Range: `bytes=${had}-` } : {}),
  };
  const response = await fetch(request.url, { headers, ...(signal ? { signal } : {}) });
  if (!response.ok || !response.body) {
    throw new HubApiError(request.url, response.status, undefined, response.statusText);
  }
  const resumed = response.status === 206;
  let received = resumed ? had : 0;
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  await pipeline(
    Readable.fromWeb(response.body),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        received += chunk.length;
        log.progress(`downloading ${name}: ${megabytes(received)} of ${megabytes(size)} MB`);
        yield chunk;
      }
    },
    createWriteStream(incomplete, { flags: resumed ? 'a' : 'w' }),
  );
  if (received < size) {
    throw errors.hub(
      name,
      `${received} of ${size} bytes arrived. Run again: the download goes on where it stopped.`,
    );
  }
  if (received > size || !(await isIntact(incomplete, basename(request.blob)))) {
    await rm(incomplete, { force: true });
    throw errors.hub(
      name,
      'what arrived is not what the hub announced. Run again: it is downloaded anew.',
    );
  }
  await rename(incomplete, request.blob);
}

/** Large files are named by the SHA-256 of their content. */
async function isIntact(path: string, tag: string): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/.test(tag)) return true;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex') === tag;
}
