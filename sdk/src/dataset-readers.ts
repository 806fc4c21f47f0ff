// How files of data sets are read: a reader turns a file's bytes into raw records. What records mean
// is in dataset-formats.ts.
import type { RecordFields } from './dataset-formats.ts';
import type { RecordOrigin } from './dataset.ts';
import type { ErrorOptions } from './errors.ts';
import { registry } from './registry.ts';

/** Which part of a document a text is. */
export type DocumentPart = 'first' | 'middle' | 'last';

/** A record as its file has it. */
export interface RawRecord {
  readonly value: RecordFields;
  readonly origin: RecordOrigin;
  /** Set where the text is a part of a document. */
  readonly part?: DocumentPart;
}

/** A file that is read once. */
export interface DatasetFile {
  readonly path: string;
  /** Its name in messages; the `file` of each origin. */
  readonly name: string;
  /** What is one text of a file of plain text. */
  readonly sampleBy: 'document' | 'paragraph' | 'line';
  /**
   * What the file says about all its records, set by the reader: `type`, the name of their format.
   */
  readonly header: { type?: unknown };
  readonly signal?: AbortSignal;
  /**
   * The text in chunks, unzipped where the file ends in `.gz`; only a few are in memory. Throws
   * LMFLOW_DATASET_ENCODING where it is no UTF-8, and LMFLOW_DATASET_UNREADABLE.
   */
  text(): AsyncIterable<string>;
  /**
   * The lines of the text, without line ends, each with its number (1-based); of empty lines that
   * follow each other the first.
   */
  lines(): AsyncIterable<readonly [line: string, number: number]>;
  /** Fails with LMFLOW_DATASET_SYNTAX, naming file and place. `problem` is a sentence without subject. */
  fail(place: Omit<RecordOrigin, 'file'>, problem: string, options?: ErrorOptions): never;
}

/** A reader of one type of file. */
export interface DatasetReader {
  readonly name: string;
  /** File endings in lower case, with the dot. */
  readonly extensions: readonly string[];
  /** Whether it reads by `text()` or `lines()`, so that `.gz` may follow the ending. */
  readonly gzip?: boolean;
  /**
   * Whether all records of a file have the same keys, each with a value, so that the first one tells
   * their format; without it, the files are read through for that.
   */
  readonly sameKeys?: boolean;
  /** Changes when the reader reads the same file differently: see DatasetFormat.version. */
  readonly version?: string;
  /** The records, read as they are taken. */
  open(file: DatasetFile): AsyncIterable<RawRecord>;
  /** Number of records, where it is known without reading the whole file. */
  count?(file: DatasetFile): Promise<number>;
}

/**
 * The readers of files. Among those for a file's ending, one of another plugin comes before the
 * built-in ones; among several plugins', the one contributed last.
 */
export const DATASET_READERS = registry<DatasetReader>(
  'dataset-readers',
  'dataset reader',
  '@lmflow/plugin-datasets',
);
