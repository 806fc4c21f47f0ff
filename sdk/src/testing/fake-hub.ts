// A Hugging Face hub on 127.0.0.1 with the repositories of a test. It can break off, stall, refuse
// ranges, damage files and deny access. Set HF_ENDPOINT to its `endpoint`.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HubRequest } from '../hub.ts';

/** A revision of a model or data set. */
export interface FakeRepository {
  readonly kind: HubRequest['kind'];
  readonly id: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Default: made from the id. */
  readonly commit?: string;
  /** Branches and tags of this commit; default: `main`. */
  readonly revisions?: readonly string[];
  /** A gated repository, for this token alone. */
  readonly token?: string;
}

/** What the hub does beside answering. */
export interface HubBehaviour {
  /** Answer of every request: status and X-Error-Code. */
  readonly deny?: readonly [number, string];
  /**
   * Ends the connection of this file after so many bytes and `arrived` (with the file's bytes so
   * far), so often.
   */
  readonly breakAt?: {
    readonly file: string;
    readonly bytes: number;
    times: number;
    readonly arrived: (bytes: number) => Promise<void>;
  };
  /** Sends so many bytes of this file and then nothing. */
  readonly stallAt?: { readonly file: string; readonly bytes: number };
  /** Sends the whole file whatever is asked for (but answers the first question for its size). */
  readonly ignoreRanges?: boolean;
  /** What is sent instead of a file's content, under the hash and size of the content. */
  readonly damage?: (content: Buffer) => Buffer;
}

/** A request that came. */
export interface FakeRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

interface Stored {
  readonly kind: HubRequest['kind'];
  readonly id: string;
  readonly commit: string;
  readonly revisions: readonly string[];
  readonly token: string | undefined;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** What a request asks a repository for. */
interface Question {
  readonly kind: HubRequest['kind'];
  readonly id: string;
  readonly about: 'revision' | 'tree' | 'file';
  readonly revision: string;
  readonly file: string;
}

/** The server. */
export class FakeHub {
  /** Every request so far. */
  readonly requests: FakeRequest[] = [];
  behaviour: HubBehaviour = {};
  readonly #server: Server;
  #repositories: Stored[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  /** A hub without repositories, which listens. */
  static async start(): Promise<FakeHub> {
    const hub = new FakeHub();
    await new Promise<void>((resolve) => {
      hub.#server.listen(0, '127.0.0.1', resolve);
    });
    return hub;
  }

  /** The value for HF_ENDPOINT. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Adds a repository's revision; returns its commit. */
  add(repository: FakeRepository): string {
    const { kind, id, files, revisions = ['main'], token } = repository;
    const { commit = createHash('sha1').update(`${kind} ${id}`).digest('hex') } = repository;
    const contents = Object.entries(files).map(
      ([name, content]) => [name, Buffer.from(content)] as const,
    );
    this.#repositories.unshift({ kind, id, commit, revisions, token, files: new Map(contents) });
    return commit;
  }

  /** Forgets repositories, requests and behaviour. */
  clear(): void {
    this.#repositories = [];
    this.requests.length = 0;
    this.behaviour = {};
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(request.url!, 'http://hub').pathname);
    const { range, authorization } = request.headers;
    this.requests.push({ path, range, authorization });
    if (this.behaviour.deny) {
      refuse(response, ...this.behaviour.deny);
      return;
    }
    const question = questionOf(path);
    const known = this.#repositories.filter(
      ({ kind, id }) => kind === question?.kind && id === question.id,
    );
    if (!question || known.length === 0) {
      refuse(response, 404, 'RepoNotFound');
      return;
    }
    const { about, revision, file } = question;
    const stored = known.find(({ commit, revisions }) => [commit, ...revisions].includes(revision));
    if (!stored) refuse(response, 404, 'RevisionNotFound');
    else if (stored.token !== undefined && authorization !== `Bearer ${stored.token}`) {
      refuse(response, authorization === undefined ? 401 : 403, 'GatedRepo');
    } else if (about === 'revision') reply(response, description(stored));
    else if (about === 'tree') reply(response, tree(stored));
    else if (stored.files.has(file)) {
      this.#send(file, stored.files.get(file)!, range, response);
    } else refuse(response, 404, 'EntryNotFound');
  }

  #send(name: string, original: Buffer, range: string | undefined, response: ServerResponse): void {
    const { breakAt, stallAt, ignoreRanges = false, damage } = this.behaviour;
    const probe = range === 'bytes=0-0';
    const content = !probe && damage ? damage(original) : original;
    const wanted = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
    const partial = wanted && (probe || !ignoreRanges);
    const [from, to] = partial
      ? [Number(wanted[1]), wanted[2] ? Number(wanted[2]) + 1 : content.length]
      : [0, content.length];
    const part = content.subarray(from, to);
    response.writeHead(partial ? 206 : 200, {
      ETag: `"${sha256(original)}"`,
      'Content-Length': part.length,
      ...(partial ? { 'Content-Range': `bytes ${from}-${to - 1}/${original.length}` } : {}),
    });
    if (!probe && breakAt?.file === name && breakAt.times > 0) {
      breakAt.times--;
      response.write(part.subarray(0, breakAt.bytes), () => {
        void breakAt.arrived(from + breakAt.bytes).then(() => response.socket?.end());
      });
    } else if (!probe && stallAt?.file === name) {
      response.write(part.subarray(0, stallAt.bytes));
    } else response.end(part);
  }
}

function questionOf(path: string): Question | undefined {
  const id = '(?<id>[^/]+(?:/[^/]+)?)';
  const about = new RegExp(`^/api/(?<kind>model|dataset)s/${id}/revision/(?<revision>.+)$`);
  const tree = new RegExp(`^/api/(?<kind>model|dataset)s/${id}/tree/(?<revision>.+)$`);
  const file = new RegExp(`^(?:/(?<kind>dataset)s)?/${id}/resolve/(?<revision>[^/]+)/(?<file>.+)$`);
  const patterns = { revision: about, tree, file };
  for (const [name, pattern] of Object.entries(patterns)) {
    const found = pattern.exec(path)?.groups;
    if (!found) continue;
    return {
      about: name as Question['about'],
      kind: (found['kind'] ?? 'model') as Question['kind'],
      id: found['id']!,
      revision: found['revision']!,
      file: found['file'] ?? '',
    };
  }
  return undefined;
}

function description({ id, commit, files, token }: Stored): unknown {
  return {
    _id: '1',
    id,
    sha: commit,
    siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
    private: false,
    gated: token === undefined ? false : 'manual',
    downloads: 0,
    likes: 0,
    lastModified: new Date(0).toISOString(),
  };
}

function tree({ files }: Stored): unknown {
  return [...files].map(([path, content]) => ({
    type: 'file',
    path,
    size: content.length,
    oid: createHash('sha1').update(content).digest('hex'),
    lfs: { oid: sha256(content), size: content.length, pointerSize: 1 },
  }));
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function reply(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'X-Error-Code': code, 'Content-Type': 'application/json' })
    .end(JSON.stringify({ error: code }));
}
