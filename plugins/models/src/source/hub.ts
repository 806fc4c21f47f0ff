// Speaking with the hub through @huggingface/hub: what a repository has, and the bytes of a file
// from a position on.
import {
  downloadFile,
  fileDownloadInfo,
  modelInfo,
  type FileDownloadInfoOutput,
} from '@huggingface/hub';
import { LMFlowError } from '@lmflow/sdk';
import {
  hubDenied,
  hubFailed,
  hubNotFound,
  hubRevisionNotFound,
  hubUnreachable,
} from './errors.ts';

export interface Repository {
  /** Commit that the revision is now. */
  readonly commit: string;
  readonly files: readonly string[];
}

export interface HubOptions {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly id: string;
  readonly revision: string;
  /** The local folder that the name could have meant, for messages. */
  readonly localFolder: string;
  readonly signal: AbortSignal | undefined;
}

/** A server's answer that may be better in a moment. */
export class Unavailable extends Error {}

export class HubClient {
  constructor(readonly options: HubOptions) {}

  /** The files of the revision. */
  async repository(): Promise<Repository> {
    const { id, revision, endpoint } = this.options;
    const info = await this.#told(`listing ${id}`, () =>
      modelInfo({
        name: id,
        revision,
        additionalFields: ['sha', 'filePaths'],
        hubUrl: endpoint,
        fetch: this.fetch,
      }),
    );
    return { commit: info.sha, files: info.filePaths };
  }

  /** Size and hash of a file. */
  async describe(file: string, commit: string): Promise<FileDownloadInfoOutput> {
    const { id, endpoint } = this.options;
    const info = await this.#told(`asking for ${file}`, () =>
      fileDownloadInfo({
        repo: id,
        path: file,
        revision: commit,
        hubUrl: endpoint,
        fetch: this.fetch,
      }),
    );
    if (!info) {
      throw hubFailed(`asking ${endpoint} for ${file} of ${id}`, 'it is listed, but not there');
    }
    return info;
  }

  /**
   * The bytes of a file from `start` on; `start` of the result is 0 where the server cannot
   * continue.
   */
  async stream(
    file: string,
    commit: string,
    info: FileDownloadInfoOutput,
    start: number,
  ): Promise<{ readonly start: number; readonly body: ReadableStream<Uint8Array> }> {
    const { id, endpoint } = this.options;
    if (info.xet) {
      const blob = await downloadFile({
        repo: id,
        path: file,
        revision: commit,
        hubUrl: endpoint,
        fetch: this.fetch,
        downloadInfo: info,
      });
      return { start, body: blob!.slice(start).stream() as ReadableStream<Uint8Array> };
    }
    const response = await this.fetch(
      info.url,
      start > 0 ? { headers: { Range: `bytes=${start}-` } } : {},
    );
    if (!response.ok || !response.body) {
      throw new Unavailable(`the server answered ${response.status}`);
    }
    return {
      start: response.status === 206 ? start : 0,
      body: response.body as ReadableStream<Uint8Array>,
    };
  }

  /**
   * fetch with the token (for the hub itself only), the abort signal, and the hub's refusals as
   * errors of ours.
   */
  readonly fetch: typeof fetch = async (input, init) => {
    const { endpoint, token, signal } = this.options;
    const url = input instanceof Request ? input.url : String(input);
    const own = new URL(url).origin === new URL(endpoint).origin;
    const headers = new Headers(init?.headers);
    if (own && token !== undefined && !headers.has('Authorization')) {
      headers.set('Authorization', `Bearer ${token}`);
    }
    headers.set('User-Agent', 'lmflow (https://www.npmjs.com/package/lmflow)');
    const response = await fetch(input, { ...init, headers, ...(signal ? { signal } : {}) });
    if (own) this.#check(response);
    return response;
  };

  #check(response: Response): void {
    const { id, revision, endpoint, token, localFolder } = this.options;
    const code = response.headers.get('X-Error-Code');
    const { status } = response;
    if (status === 401 || status === 403) {
      throw hubDenied(id, endpoint, token !== undefined, code === 'GatedRepo');
    }
    if (code === 'RevisionNotFound') throw hubRevisionNotFound(id, revision);
    if (status === 404 && code !== 'EntryNotFound') throw hubNotFound(id, endpoint, localFolder);
    if (status === 429 || status >= 500) throw new Unavailable(`the server answered ${status}`);
  }

  async #told<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const { endpoint, signal } = this.options;
    try {
      return await ask();
    } catch (error) {
      if (signal?.aborted || error instanceof LMFlowError) throw error;
      if (error instanceof TypeError && error.message === 'fetch failed') {
        throw hubUnreachable(endpoint, error);
      }
      throw hubFailed(`${what} on ${endpoint}`, error);
    }
  }
}
