// What a file reader is: bytes of one file -> raw records with their place. It knows syntax, not
// what a record means.
import type { RecordOrigin } from '@lmflow/sdk';

/** Fields of a record as the file has them. */
export type Fields = Readonly<Record<string, unknown>>;

/** Which part of its document a text is. */
export type DocumentPart = 'first' | 'middle' | 'last';

export interface RawRecord {
  readonly value: Fields;
  readonly origin: RecordOrigin;
  /** A text that is not its whole document. */
  readonly part?: DocumentPart;
}

/** One file to read, and what reading it found out. */
export interface ReadRequest {
  readonly path: string;
  /** How messages call it. */
  readonly name: string;
  /** What is one text of a .txt file. */
  readonly sampleBy: 'document' | 'paragraph' | 'line';
  /** The "type" of an LMFlow file, set as soon as it was read. */
  readonly header: { type?: unknown };
  readonly signal?: AbortSignal;
}

export interface Reader {
  /** File endings, with the dot. */
  readonly extensions: readonly string[];
  readonly read: (request: ReadRequest) => AsyncIterable<RawRecord>;
  /** Number of records where the file tells without being read whole. */
  readonly count?: (request: ReadRequest) => Promise<number>;
}

/** Whether a value is an object with named fields. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
