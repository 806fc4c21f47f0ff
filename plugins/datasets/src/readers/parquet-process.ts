// The process that Parquet is decoded in: a small file can ask its reader for endless work and
// memory, in more ways than can be checked before. What runs in it: parquet-script.ts.
import { spawn, type ChildProcess } from 'node:child_process';
import { deserialize } from 'node:v8';
import type { SchemaTree } from 'hyparquet';
import { DECODER } from './parquet-script.ts';

/** What the end of a file says. */
export interface ParquetFooter {
  readonly schema: SchemaTree;
  /** Rows of each row group. */
  readonly groups: readonly number[];
  /** Of the whole file. */
  readonly bytes: number;
}

/** What was a larger file's ends with it, since memory that was used once is kept, in bytes. */
const SMALL = 2 ** 24;

/** The process that waits for the next file, if there is one. */
const idle = new Set<ParquetProcess>();

/** Decodes one file at a time. */
export class ParquetProcess {
  readonly #child: ChildProcess;
  #told = '';
  #answer: ((error: Error | undefined, value?: unknown) => void) | undefined;
  #ended = false;
  #reusable = false;

  /** One that waits, or a new one. Its errors say what is wrong with the file. */
  static async take(): Promise<ParquetProcess> {
    const [waiting] = idle;
    idle.clear();
    if (!waiting) {
      const started = new ParquetProcess();
      await started.#received();
      return started;
    }
    waiting.#keepAlive(true);
    return waiting;
  }

  private constructor() {
    const libraries = ['hyparquet', 'hyparquet-compressors'].map((name) =>
      import.meta.resolve(name),
    );
    const args = ['--input-type=module', '--eval', DECODER, ...libraries];
    this.#child = spawn(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
      windowsHide: true,
    });
    this.#child.stderr!.on('data', (text: Buffer) => {
      this.#told = (this.#told + text.toString()).slice(-4096);
    });
    this.#child.on('message', ({ error, value }: { error?: string; value?: unknown }) => {
      this.#answer?.(error === undefined ? undefined : new Error(error), value);
    });
    this.#child.on('error', (error) => this.#end(error));
    this.#child.on('close', (code, by) => this.#end(new Error(this.#reason(code, by))));
  }

  async open(path: string): Promise<ParquetFooter> {
    this.#reusable = false;
    const footer = (await this.#ask({ kind: 'open', path })) as ParquetFooter;
    this.#reusable = footer.bytes < SMALL;
    return footer;
  }

  /** The rows of a row group, in blocks of a few MB, with the bytes of each. */
  async *rows(
    index: number,
    rowStart: number,
    rowEnd: number,
  ): AsyncGenerator<{ readonly rows: readonly unknown[]; readonly bytes: number }> {
    const count = (await this.#ask({ kind: 'group', index, rowStart, rowEnd })) as number;
    for (let from = 0; from < count;) {
      const block = (await this.#ask({ kind: 'block', from })) as Uint8Array[];
      from += block.length;
      yield {
        rows: block.map((row) => deserialize(row) as unknown),
        bytes: block.reduce((sum, row) => sum + row.length, 0),
      };
    }
  }

  /** Gives it back; what was not answered yet ends it. */
  release(): void {
    if (this.#answer || this.#ended || !this.#reusable || idle.size > 0) {
      this.#child.kill('SIGKILL');
    } else {
      idle.add(this);
      this.#keepAlive(false);
    }
  }

  #ask(request: object): Promise<unknown> {
    const answer = this.#received();
    this.#child.send(request, (error) => {
      if (error) this.#end(error);
    });
    return answer;
  }

  #received(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#answer = (error, value) => {
        this.#answer = undefined;
        if (error) reject(error);
        else resolve(value);
      };
      if (this.#ended) this.#answer(new Error(this.#reason(null, null)));
    });
  }

  #end(error: Error): void {
    this.#ended = true;
    idle.delete(this);
    this.#answer?.(error);
  }

  #reason(code: number | null, by: string | null): string {
    const limit = /out of (memory|time)/.exec(this.#told)?.[1];
    if (limit) return `decoding it takes much more ${limit} than a file of its size needs`;
    const [error = by ?? `exit code ${code}`] = /^\w*Error.*$/m.exec(this.#told) ?? [];
    return `the process that decodes it ended (${error})`;
  }

  /** Whether this process waits for it before it ends. */
  #keepAlive(on: boolean): void {
    const { channel, stderr } = this.#child;
    for (const one of [this.#child, channel, stderr as unknown as NodeJS.RefCounted]) {
      if (on) one?.ref();
      else one?.unref();
    }
  }
}
