// The records of a source's files as they are, one file after another, before a format reads them.
import { isLMFlowError, type DatasetFile, type DatasetReader, type RawRecord } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { datasetFile, type DataFile, type ReadSettings } from '../readers/data-file.ts';
import type { ReaderTable } from '../readers/reader-table.ts';

/** What is read, and how. */
export interface RawSettings extends ReadSettings {
  readonly files: readonly DataFile[];
  readonly readers: ReaderTable;
  /** Key of the format -> key in the file. */
  readonly columns: Readonly<Record<string, string>>;
  /** Only so many from the beginning. */
  readonly maxSamples: number | undefined;
}

/** Sees what a file says about its records, whenever it may have said more; throws what is wrong. */
export type HeaderCheck = (file: DataFile, type: unknown) => void;

/** What the records of some files have, the file of the first, and what that says of them. */
export interface Example {
  readonly record: RawRecord;
  readonly file: DataFile;
  readonly type: unknown;
}

/** The records of some files. */
export class RawRecords {
  private readonly settings: RawSettings;

  constructor(settings: RawSettings) {
    this.settings = settings;
  }

  /** All of them, with columns renamed. Throws what readers throw. */
  async *read(check: HeaderCheck): AsyncGenerator<RawRecord> {
    const { files, columns, maxSamples = Infinity } = this.settings;
    let left = maxSamples;
    for (const file of files) {
      const { reader, reading } = this.open(file);
      for await (const record of recordsOf(reader, reading)) {
        if (left-- <= 0) return;
        check(file, reading.header.type);
        yield mapColumns(record, columns);
      }
      check(file, reading.header.type); // "type" may stand behind the records
    }
  }

  /**
   * What the records have: the first one with the keys of all others, each with the first value that
   * says something; where the file says their "type" by then, the first record alone. Undefined where
   * there is none. `check` sees files without records. Throws LMFLOW_DATASET_COLUMN where a column
   * is in no record.
   */
  async example(check: HeaderCheck): Promise<Example | undefined> {
    const { files, columns, maxSamples = Infinity } = this.settings;
    let first: Example | undefined;
    const unseen = new Set(Object.values(columns));
    const value: Record<string, unknown> = {};
    let left = maxSamples;
    for (const file of files) {
      const { reader, reading } = this.open(file);
      let records = 0;
      for await (const raw of recordsOf(reader, reading)) {
        const record = mapColumns(raw, columns);
        first ??= { record, file, type: reading.header.type };
        if (first.type !== undefined && unseen.size === 0) return first;
        for (const column of unseen) if (column in raw.value) unseen.delete(column);
        for (const [key, member] of Object.entries(record.value)) {
          if (isEmpty(value[key])) value[key] = member;
        }
        records++;
        if (--left <= 0 || reader.sameKeys === true) break;
      }
      if (records === 0) check(file, reading.header.type);
      if (left <= 0) break;
    }
    if (!first) return undefined;
    for (const [key, column] of Object.entries(columns)) {
      if (unseen.has(column)) {
        throw errors.column(first.record.origin, key, column, Object.keys(value));
      }
    }
    return first.type === undefined ? { ...first, record: { ...first.record, value } } : first;
  }

  /** How many there are; reads the files if they do not contain it. */
  async count(check: HeaderCheck): Promise<number> {
    const { files, maxSamples = Infinity } = this.settings;
    const opened = files.map((file) => this.open(file));
    let total = 0;
    if (opened.every(({ reader }) => reader.count !== undefined)) {
      for (const { reader, reading } of opened) total += await reader.count!(reading);
      return Math.min(total, maxSamples);
    }
    for await (const _ of this.read(check)) total++;
    return total;
  }

  private open(file: DataFile): { readonly reader: DatasetReader; readonly reading: DatasetFile } {
    const { readers } = this.settings;
    const reader = readers.for(file.path);
    if (!reader) throw errors.fileType(file.name, readers.extensions);
    return { reader, reading: datasetFile(file, this.settings) };
  }
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

/** What a reader gives; what it throws by itself names the file. */
async function* recordsOf(reader: DatasetReader, file: DatasetFile): AsyncGenerator<RawRecord> {
  try {
    yield* reader.open(file);
  } catch (error) {
    file.signal?.throwIfAborted();
    if (isLMFlowError(error)) throw error;
    throw errors.unreadable(file.name, error);
  }
}

/** Renames a record's keys to those of the format. */
function mapColumns(raw: RawRecord, columns: Readonly<Record<string, string>>): RawRecord {
  const renamed = Object.entries(columns);
  if (renamed.length === 0) return raw;
  const mapped: Record<string, unknown> = { ...raw.value };
  for (const [key, column] of renamed) {
    if (column in raw.value) mapped[key] = raw.value[column];
    else delete mapped[key];
  }
  return { ...raw, value: mapped };
}
