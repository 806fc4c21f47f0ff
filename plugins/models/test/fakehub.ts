// A Hugging Face hub on 127.0.0.1 with one model, which can break off, stall, refuse ranges and
// deny access.
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface HubBehaviour {
  /** Answer of every request: status and X-Error-Code. */
  deny?: readonly [number, string];
  /**
   * Ends the connection of this file after so many bytes and `arrived` (with the file's bytes so
   * far), so often.
   */
  breakAt?: {
    readonly file: string;
    readonly bytes: number;
    times: number;
    readonly arrived: (bytes: number) => Promise<void>;
  };
  /** Sends so many bytes of this file and then nothing. */
  stallAt?: { readonly file: string; readonly bytes: number };
  /** Sends the whole file whatever is asked for (but answers the first question for its size). */
  ignoreRanges?: boolean;
  /** Only with this token. */
  token?: string;
}

export interface Request {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export class FakeHub {
  readonly requests: Request[] = [];
  behaviour: HubBehaviour = {};
  readonly #server: Server;

  private constructor(
    readonly commit: string,
    private readonly files: ReadonlyMap<string, Buffer>,
  ) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  /** Serves the files of a folder as `test/tiny`. */
  static async start(folder: string): Promise<FakeHub> {
    const names = await readdir(folder);
    const files = new Map(
      await Promise.all(
        names.map(async (name) => [name, await readFile(join(folder, name))] as const),
      ),
    );
    const hub = new FakeHub(createHash('sha1').update(folder).digest('hex'), files);
    await new Promise<void>((resolve) => {
      hub.#server.listen(0, '127.0.0.1', resolve);
    });
    return hub;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  size(file: string): number {
    return this.files.get(file)!.length;
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
    const refuse = (status: number, code: string): void => {
      response
        .writeHead(status, { 'X-Error-Code': code, 'Content-Type': 'application/json' })
        .end(JSON.stringify({ error: code }));
    };
    if (this.behaviour.deny) {
      refuse(...this.behaviour.deny);
      return;
    }
    if (this.behaviour.token !== undefined && authorization !== `Bearer ${this.behaviour.token}`) {
      refuse(401, 'GatedRepo');
      return;
    }
    const list = /^\/api\/models\/test\/tiny\/revision\/(.+)$/.exec(path);
    const file = /^\/test\/tiny\/resolve\/([^/]+)\/(.+)$/.exec(path);
    if (list) {
      if (!['main', 'v1', this.commit].includes(list[1]!)) {
        refuse(404, 'RevisionNotFound');
        return;
      }
      const siblings = [...this.files.keys()].map((rfilename) => ({ rfilename }));
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(
        JSON.stringify({
          _id: '1',
          id: 'test/tiny',
          sha: this.commit,
          siblings,
          lastModified: new Date(0).toISOString(),
        }),
      );
    } else if (file && this.files.has(file[2]!)) this.#send(file[2]!, range, response);
    else refuse(404, file ? 'EntryNotFound' : 'RepoNotFound');
  }

  #send(name: string, range: string | undefined, response: ServerResponse): void {
    const content = this.files.get(name)!;
    const wanted = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
    const probe = range === 'bytes=0-0';
    const partial = wanted && (probe || !this.behaviour.ignoreRanges);
    const [from, to] = partial
      ? [Number(wanted[1]), wanted[2] ? Number(wanted[2]) + 1 : content.length]
      : [0, content.length];
    response.writeHead(partial ? 206 : 200, {
      ETag: `"${createHash('sha1').update(content).digest('hex')}"`,
      'Content-Length': to - from,
      ...(partial ? { 'Content-Range': `bytes ${from}-${to - 1}/${content.length}` } : {}),
    });
    const { breakAt, stallAt } = this.behaviour;
    if (!probe && breakAt?.file === name && breakAt.times > 0) {
      breakAt.times--;
      response.write(content.subarray(from, from + breakAt.bytes), () => {
        void breakAt.arrived(from + breakAt.bytes).then(() => response.socket?.end());
      });
    } else if (!probe && stallAt?.file === name) {
      response.write(content.subarray(from, from + stallAt.bytes));
    } else response.end(content.subarray(from, to));
  }
}
