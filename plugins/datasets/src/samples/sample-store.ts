// Tokenized samples on disk: written as a stream, read back sample by sample. One folder per data
// set: tokens.bin (int32, a trained token as its id, another as the id's complement ~id),
// offsets.bin (float64, first token of each sample and the end), columns.bin where samples have
// numbers (float64, those of a sample after those of the one before), index.json (what they are,
// with checksums). The folder is written aside and renamed, so it is whole or absent.
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { IGNORED, type Sample, type SampleStatistics, type Samples } from '@lmflow/sdk';
import type { Tokens } from './encoder.ts';

/** Changes whenever the files mean something else. */
const STORE_VERSION = 3;

/** The file of the tokens, in the store's folder. */
export const TOKENS = 'tokens.bin';
const OFFSETS = 'offsets.bin';
const COLUMNS = 'columns.bin';
const INDEX = 'index.json';
const BUFFERED = 1 << 18;

/** What index.json says. */
export interface StoreIndex {
  readonly version: number;
  readonly key: string;
  readonly statistics: SampleStatistics;
  readonly dropped: Readonly<Record<string, number>>;
  /** Whatever the maker wants to know again. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly tokensHash: string;
  readonly offsetsHash: string;
  /** Names of the samples' numbers, where they have any. */
  readonly columns?: readonly string[];
  readonly columnsHash?: string;
}

/** What whoever makes samples says of them. */
export type StoreFacts = Pick<StoreIndex, 'key' | 'statistics' | 'dropped' | 'facts'>;

/** Writes samples to a folder that exists. */
export class StoreWriter {
  private readonly folder: string;
  private readonly file: number;
  private readonly hash = createHash('sha256');
  private readonly buffer = new Int32Array(BUFFERED);
  private buffered = 0;
  private offsets = new Float64Array(1 << 10);
  private count = 0;
  private open = true;
  private readonly columns: readonly string[];
  private numbers = new Float64Array(1 << 8);

  /** `columns` are the names of each sample's numbers. */
  constructor(folder: string, columns: readonly string[] = []) {
    this.folder = folder;
    this.columns = columns;
    this.file = openSync(join(folder, TOKENS), 'wx');
  }

  add({ ids, trained }: Tokens, numbers: readonly number[] = []): void {
    this.offsets = withRoom(this.offsets, this.count + 2);
    const width = this.columns.length;
    this.numbers = withRoom(this.numbers, (this.count + 1) * width);
    this.numbers.set(numbers, this.count * width);
    for (let token = 0; token < ids.length; token++) {
      if (this.buffered === BUFFERED) this.flush();
      this.buffer[this.buffered++] = trained[token] === 1 ? ids[token]! : ~ids[token]!;
    }
    this.offsets[this.count + 1] = this.offsets[this.count]! + ids.length;
    this.count++;
  }

  /** Closes the file, finished or not. */
  close(): void {
    if (this.open) closeSync(this.file);
    this.open = false;
  }

  /** Writes the rest and the index. */
  finish(index: StoreFacts): void {
    this.flush();
    this.close();
    const offsets = asBytes(this.offsets.subarray(0, this.count + 1));
    writeFileSync(join(this.folder, OFFSETS), offsets);
    const { columns } = this;
    const numbers = asBytes(this.numbers.subarray(0, this.count * columns.length));
    if (columns.length > 0) writeFileSync(join(this.folder, COLUMNS), numbers);
    const whole: StoreIndex = {
      version: STORE_VERSION,
      ...index,
      tokensHash: this.hash.digest('hex'),
      offsetsHash: hashOf(offsets),
      ...(columns.length > 0 ? { columns, columnsHash: hashOf(numbers) } : {}),
    };
    writeFileSync(join(this.folder, INDEX), JSON.stringify(whole, null, 1));
  }

  private flush(): void {
    const bytes = asBytes(this.buffer.subarray(0, this.buffered));
    for (let written = 0; written < bytes.length;) written += writeSync(this.file, bytes, written);
    this.hash.update(bytes);
    this.buffered = 0;
  }
}

/** The same numbers in an array with room for `count`. */
function withRoom(numbers: Float64Array<ArrayBuffer>, count: number): Float64Array<ArrayBuffer> {
  if (count <= numbers.length) return numbers;
  const grown = new Float64Array(Math.max(count, 2 * numbers.length));
  grown.set(numbers);
  return grown;
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** float64 numbers of a file; undefined where they are not what the checksum says. */
function readNumbers(path: string, hash: string): Float64Array | undefined {
  const bytes = readFileSync(path);
  if (hashOf(bytes) !== hash) return undefined;
  return new Float64Array(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
  );
}

const asBytes = (array: Int32Array | Float64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Reads a store's samples on demand; keeps one file open until disposed of. */
export class StoredSamples implements Samples {
  readonly length: number;
  readonly statistics: SampleStatistics;
  readonly fingerprint: string;
  readonly index: StoreIndex;
  private readonly offsets: Float64Array;
  private readonly numbers: Float64Array | undefined;
  private readonly file: number;
  private open = true;

  private constructor(
    folder: string,
    index: StoreIndex,
    { offsets, numbers }: Readonly<Record<'offsets', Float64Array>> & { numbers?: Float64Array },
  ) {
    this.index = index;
    this.offsets = offsets;
    this.numbers = numbers;
    this.length = offsets.length - 1;
    this.statistics = index.statistics;
    this.fingerprint = index.key;
    this.file = openSync(join(folder, TOKENS), 'r');
  }

  /**
   * Opens a store; undefined where it is absent, of another version, or not what its checksums say.
   */
  static async open(folder: string, key: string): Promise<StoredSamples | undefined> {
    try {
      const index = JSON.parse(readFileSync(join(folder, INDEX), 'utf8')) as StoreIndex;
      if (index.version !== STORE_VERSION || index.key !== key) return undefined;
      const offsets = readNumbers(join(folder, OFFSETS), index.offsetsHash);
      if (!offsets) return undefined;
      if (statSync(join(folder, TOKENS)).size !== 4 * offsets.at(-1)!) return undefined;
      const hash = createHash('sha256');
      await pipeline(createReadStream(join(folder, TOKENS), { highWaterMark: 1 << 20 }), hash);
      if (hash.digest('hex') !== index.tokensHash) return undefined;
      if (index.columnsHash === undefined) return new StoredSamples(folder, index, { offsets });
      const numbers = readNumbers(join(folder, COLUMNS), index.columnsHash);
      return numbers && new StoredSamples(folder, index, { offsets, numbers });
    } catch {
      return undefined;
    }
  }

  lengthOf(index: number): number {
    return this.offsets[index + 1]! - this.offsets[index]!;
  }

  get(index: number): Sample {
    const inputIds = new Int32Array(this.lengthOf(index));
    const bytes = asBytes(inputIds);
    const from = 4 * this.offsets[index]!;
    for (let read = 0; read < bytes.length;) {
      const got = readSync(this.file, bytes, read, bytes.length - read, from + read);
      if (got === 0) {
        throw new RangeError(
          `sample ${index} ends before its length: the cache file was changed while it was read`,
        );
      }
      read += got;
    }
    const labels = new Int32Array(inputIds.length);
    for (let token = 0; token < inputIds.length; token++) {
      const stored = inputIds[token]!;
      labels[token] = stored < 0 ? IGNORED : stored;
      if (stored < 0) inputIds[token] = ~stored;
    }
    const columns = this.columnsOf(index);
    return { inputIds, labels, ...(columns ? { columns } : {}) };
  }

  private columnsOf(sample: number): Readonly<Record<string, number>> | undefined {
    const { numbers } = this;
    const { columns } = this.index;
    if (!numbers || !columns) return undefined;
    return Object.fromEntries(
      columns.map((name, column) => [name, numbers[sample * columns.length + column]!]),
    );
  }

  dispose(): void {
    if (this.open) closeSync(this.file);
    this.open = false;
  }
}
