// Plain decoding with a cache: every step reads a part of one waiting prompt and gives each running
// sequence its next token. Used rows of the cache stay together at the front: where a sequence
// leaves, the last row moves into its place.
import type { DecodeSession, TokenChooser } from '@lmflow/sdk';
import type { StepRunner } from './step-runner.ts';

/** Most tokens of a prompt in one step: running sequences wait for no more than that. */
const CHUNK = 512;

interface Row {
  readonly handle: number;
  readonly chooser: TokenChooser;
  /** The prompt and every token chosen. */
  readonly ids: number[];
  /** How many of them are in the cache. */
  cached: number;
}

export class CachedSession implements DecodeSession {
  readonly #runner: StepRunner;
  readonly #chunk: number;
  #rows: Row[] = [];
  #handles = 0;

  /** `whole`: one step reads a whole prompt, for models whose positions depend on its length. */
  constructor(runner: StepRunner, whole: boolean) {
    this.#runner = runner;
    this.#chunk = whole ? Infinity : CHUNK;
  }

  add(prompt: Int32Array, chooser: TokenChooser): number {
    const handle = ++this.#handles;
    this.#rows.push({ handle, chooser, ids: [...prompt], cached: 0 });
    return handle;
  }

  remove(handle: number): void {
    const index = this.#rows.findIndex((row) => row.handle === handle);
    if (index < 0) return;
    const last = this.#rows.pop()!;
    if (last.handle !== handle) {
      this.#rows[index] = last;
      this.#runner.cache.copyRow(this.#rows.length, index, last.cached);
    }
    if (this.#rows.length === 0) this.#runner.cache.dispose();
  }

  async step(): Promise<ReadonlyMap<number, readonly number[]>> {
    const results = new Map<number, readonly number[]>();
    if (this.#rows.length === 0) return results;
    const rows = [...this.#rows];
    this.#runner.reserve(
      rows.length,
      Math.max(...rows.map(({ ids }) => ids.length)),
      (index) => rows[index]?.cached ?? 0,
    );
    const running = rows.filter(({ ids, cached }) => ids.length - cached === 1);
    const waiting = rows.find((row) => !running.includes(row));
    if (waiting) await this.#read(waiting, results);
    if (running.length > 0) {
      const logits = await this.#runner.step(
        running.map((row) => ({
          row: rows.indexOf(row),
          ids: [row.ids[row.cached]!],
          at: row.cached,
        })),
        (index) => rows[index]?.cached ?? 0,
      );
      running.forEach((row, index) => {
        row.cached += 1;
        this.#choose(row, logits[index]!, results);
      });
    }
    return results;
  }

  async dispose(): Promise<void> {
    this.#rows = [];
    await this.#runner.dispose();
  }

  /** Reads the next part of a prompt, after copying what another row already has of it. */
  async #read(row: Row, results: Map<number, readonly number[]>): Promise<void> {
    const index = this.#rows.indexOf(row);
    if (row.cached === 0) this.#share(row, index);
    const end = Math.min(row.ids.length, row.cached + this.#chunk);
    const logits = await this.#runner.read({
      row: index,
      ids: row.ids.slice(row.cached, end),
      at: row.cached,
    });
    row.cached = end;
    if (end === row.ids.length) this.#choose(row, logits, results);
  }

  #share(row: Row, index: number): void {
    if (this.#chunk === Infinity) return;
    const common = this.#rows.map((other) =>
      other === row
        ? 0
        : commonPrefix(row.ids, other.ids, Math.min(row.ids.length - 1, other.cached)),
    );
    const most = Math.max(...common);
    if (most < 8) return;
    this.#runner.cache.copyRow(common.indexOf(most), index, most);
    row.cached = most;
  }

  #choose(row: Row, logits: Float32Array, results: Map<number, readonly number[]>): void {
    const token = row.chooser.choose(logits);
    row.ids.push(token);
    results.set(row.handle, [token]);
  }
}

function commonPrefix(a: readonly number[], b: readonly number[], most: number): number {
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
