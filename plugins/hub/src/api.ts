// Requests to the hub through @huggingface/hub: what a repository has, and the bytes of a file from a
// position on. Its functions that fill the cache (downloadFileToCacheDir, snapshotDownload) have no
// resuming, no lock, no progress and no check of the content; download.ts replaces them.
import {
  datasetInfo,
  downloadFile,
  fileDownloadInfo,
  listFiles,
  modelInfo,
  type FileDownloadInfoOutput,
  type RepoId,
} from '@huggingface/hub';
import { LMFlowError } from '@lmflow/sdk';
import {
  hubDenied,
  hubFailed,
  hubFileOutside,
  hubNotFound,
  hubRevisionNotFound,
  hubUnreachable,
  type Subject,
} from './errors.ts';

/** What a revision is now. */
export interface Listing {
  readonly commit: string;
  /** The names of all files. */
  readonly files: readonly string[];
}

export interface ApiOptions {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly subject: Subject;
  /** Why the name means no local file, for the error where the hub does not know it either. */
  readonly notLocal: string;
  readonly signal: AbortSignal | undefined;
}

/** A server's answer after which a retry may help. */
export class Unavailable extends Error {}

/** The hub, asked about one repository. */
export class HubApi {
  readonly #repo: RepoId;

  constructor(readonly options: ApiOptions) {
    this.#repo = { type: options.subject.kind, name: options.subject.id };
  }

  /** The files of the revision. */
  async list(): Promise<Listing> {
    const { subject } = this.options;
    const listing = await this.#asked(`listing ${subject.id}`, () =>
      subject.kind === 'model' ? this.#listModel() : this.#listDataset(),
    );
    const outside = listing.files.find((file) => /^\/|\\|^[A-Za-z]:|(^|\/)\.\.?(\/|$)/.test(file));
    if (outside !== undefined) throw hubFileOutside(subject, outside);
    return listing;
  }

  /** Size and hash of a file. */
  async describe(file: string, commit: string): Promise<FileDownloadInfoOutput> {
    const { subject, endpoint } = this.options;
    const info = await this.#asked(`asking for ${file}`, () =>
      fileDownloadInfo({
        repo: this.#repo,
        path: file.split('/').map(encodeURIComponent).join('/'),
        revision: commit,
        ...this.#access,
      }),
    );
    if (info) return info;
    throw hubFailed(
      `asking ${endpoint} for ${file} of ${subject.id}`,
      'it is listed, but not there',
    );
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
    if (info.xet) {
      const blob = await downloadFile({
        repo: this.#repo,
        path: file,
        revision: commit,
        downloadInfo: info,
        ...this.#access,
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
   * fetch with the token (for the hub itself only), the abort signal, and refusals as LMFlowErrors.
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

  get #access(): { readonly hubUrl: string; readonly fetch: typeof fetch } {
    return { hubUrl: this.options.endpoint, fetch: this.fetch };
  }

  async #listModel(): Promise<Listing> {
    const { id, revision } = this.options.subject;
    const { sha, filePaths } = await modelInfo({
      name: id,
      revision,
      additionalFields: ['sha', 'filePaths'],
      ...this.#access,
    });
    return { commit: sha, files: filePaths };
  }

  async #listDataset(): Promise<Listing> {
    const { id, revision } = this.options.subject;
    const { sha } = await datasetInfo({
      name: id,
      revision,
      additionalFields: ['sha'],
      ...this.#access,
    });
    const files: string[] = [];
    const entries = listFiles({
      repo: this.#repo,
      recursive: true,
      revision: sha,
      ...this.#access,
    });
    for await (const { type, path } of entries) if (type === 'file') files.push(path);
    return { commit: sha, files };
  }

  #check(response: Response): void {
    const { subject, endpoint, token, notLocal } = this.options;
    const code = response.headers.get('X-Error-Code');
    const { status } = response;
    if (status === 401 || status === 403) {
      throw hubDenied(subject, endpoint, token !== undefined, code === 'GatedRepo');
    }
    if (code === 'RevisionNotFound') throw hubRevisionNotFound(subject);
    if (status === 404 && code !== 'EntryNotFound') throw hubNotFound(subject, endpoint, notLocal);
    if (status === 429 || status >= 500) throw new Unavailable(`the server answered ${status}`);
  }

  async #asked<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const { subject, endpoint, signal } = this.options;
    try {
      return await ask();
    } catch (error) {
      if (signal?.aborted || error instanceof LMFlowError) throw error;
      throw isUnreachable(error)
        ? hubUnreachable(subject, endpoint, error)
        : hubFailed(`${what} on ${endpoint}`, error);
    }
  }
}

/** Whether fetch could not reach the server. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof TypeError && error.message === 'fetch failed';
}
