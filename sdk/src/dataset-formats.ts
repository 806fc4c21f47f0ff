// What the records of a data set mean: a format turns a record's fields into a DatasetRecord. How
// files are read is in dataset-readers.ts.
import type { ChatMessage } from './chat.ts';
import type { DatasetKind, DatasetRecord, RecordOrigin } from './dataset.ts';
import { registry } from './registry.ts';

/** Fields of a record as its file has them. */
export type RecordFields = Readonly<Record<string, unknown>>;

/** The result of a format: a DatasetRecord without its origin. */
export type RecordBody = DatasetRecord extends infer R
  ? R extends { readonly kind: DatasetKind }
    ? Omit<R, 'origin'>
    : never
  : never;

/**
 * A record's fields, read with checks: each failure is LMFLOW_DATASET_RECORD and names file, record,
 * key and what was expected. `null` is the same as absent, and lists and objects may come as JSON
 * text, as CSV files have them.
 */
export interface CheckedFields {
  readonly origin: RecordOrigin;
  /** The value as it is; `undefined` where it is absent. */
  raw(key: string): unknown;
  has(key: string): boolean;
  string(key: string): string;
  optionalString(key: string): string | undefined;
  /** A number, also as text. */
  optionalNumber(key: string): number | undefined;
  /** A list; `of` names its items, for messages. */
  list(key: string, of: string): readonly unknown[];
  /** An object; `expected` describes it, for messages. */
  object(key: string, expected: string): CheckedFields;
  /** A list of objects; `of` describes them, for messages. */
  objects(key: string, of: string): CheckedFields[];
  /**
   * A list of chat messages in OpenAI's (`role`, `content`) or ShareGPT's keys (`from`, `value`),
   * roles under the names that chat templates use. Throws LMFLOW_DATASET_ROLE too.
   */
  messages(key: string): ChatMessage[];
  /** All fields, for keys that are passed on. */
  all(): RecordFields;
  /** The full name of a key: `messages[2].role`. */
  name(key: string): string;
  /** Fails: the key must be what is expected. `found` is its value where left out. */
  fail(key: string, expected: string, found?: unknown): never;
}

/** A format of records. */
export interface DatasetFormat {
  /** Its name in `format`, `datasetFormat` and messages. */
  readonly name: string;
  /** Other names for it. */
  readonly aliases?: readonly string[];
  /**
   * Changes when the format turns the same records into something else, so that tokens in the cache
   * are made anew.
   */
  readonly version?: string;
  readonly kind: DatasetKind;
  /** Shape of a record, for messages: `{ prompt, completion }`. */
  readonly example: string;
  /**
   * Whether a data set is in this format. `fields` are those of its first record, with the keys that
   * other records add.
   */
  matches(fields: RecordFields): boolean;
  /** Makes a record of the format's kind. */
  parse(fields: CheckedFields): RecordBody;
}

/**
 * The formats of records. Among those that match, one of another plugin comes before the built-in
 * ones, of which it may be a special case; among several plugins', the one contributed last.
 */
export const DATASET_FORMATS = registry<DatasetFormat>(
  'dataset-formats',
  'dataset format',
  '@lmflow/plugin-datasets',
);
