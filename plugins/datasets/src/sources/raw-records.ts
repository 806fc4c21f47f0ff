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

/** The records of some files. */
export class RawRecords {
  private readonly settings: RawSettings;

  constructor(settings: RawSettings) {
    this.settings = settings;
  }

  /** All of them, with columns renamed. Throws LMFLOW_DATASET_COLUMN and what readers throw. */
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
   * The first record with its file, and the "type" that the file gives by then; undefined where there
   * is none. `check` sees files without records.
   */
  async first(
    check: HeaderCheck,
  ): Promise<
    { readonly record: RawRecord; readonly file: DataFile; readonly type: unknown } | undefined
  > {
    for (const file of this.settings.files) {
      const { reader, reading } = this.open(file);
      for await (const record of recordsOf(reader, reading)) {
        const mapped = mapColumns(record, this.settings.columns);
        return { record: mapped, file, type: reading.header.type };
      }
      check(file, reading.header.type);
    }
    return undefined;
  }

  /** How many there are; reads the files through where they do not tell. */
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

/** Renames a record's keys to those of the format. Throws LMFLOW_DATASET_COLUMN. */
function mapColumns(raw: RawRecord, columns: Readonly<Record<string, string>>): RawRecord {
  const renamed = Object.entries(columns);
  if (renamed.length === 0) return raw;
  const mapped: Record<string, unknown> = { ...raw.value };
  for (const [key, column] of renamed) {
    if (!(column in raw.value)) {
      throw errors.column(raw.origin, key, column, Object.keys(raw.value));
    }
    mapped[key] = raw.value[column];
  }
  return { ...raw, value: mapped };
}
