// What a record format is, and the checked access to a record's fields that all formats use.
import type { DatasetKind, DatasetRecord, RecordOrigin } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { isFields, type Fields, type RawRecord } from '../readers/reader.ts';

/** A DatasetRecord without its origin: what a format makes of the fields. */
export type RecordBody = DatasetRecord extends infer R
  ? R extends { kind: DatasetKind }
    ? Omit<R, 'origin'>
    : never
  : never;

export interface Format {
  readonly name: string;
  /** Other names it goes by: LMFlow types, what peers call it. */
  readonly aliases?: readonly string[];
  readonly kind: DatasetKind;
  /** The keys it knows: what `columns` may map to. */
  readonly keys: readonly string[];
  /** Shape of a record, for messages and the README. */
  readonly example: string;
  matches(fields: Fields): boolean;
  parse(fields: CheckedFields): RecordBody;
}

/**
 * A record's fields, read with checks; each failure names file, record, key and what was expected.
 */
export class CheckedFields {
  readonly origin: RecordOrigin;
  private readonly format: string;
  private readonly fields: Fields;
  private readonly path: string;

  constructor(record: RawRecord, format: string, path = '') {
    this.fields = record.value;
    this.origin = record.origin;
    this.format = format;
    this.path = path;
  }

  /** The value as it is; null is the same as absent (Parquet and CSV have no absent). */
  raw(key: string): unknown {
    return this.fields[key] ?? undefined;
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.fail(key, 'a string');
  }

  optionalString(key: string): string | undefined {
    const value = this.raw(key);
    return value === undefined || typeof value === 'string' ? value : this.fail(key, 'a string');
  }

  optionalNumber(key: string): number | undefined {
    const value = this.raw(key);
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return number === undefined || (typeof number === 'number' && Number.isFinite(number))
      ? number
      : this.fail(key, 'a number');
  }

  /** A list; also as JSON text, as CSV files have it. */
  list(key: string, of: string): readonly unknown[] {
    const value = fromText(this.raw(key));
    return Array.isArray(value) ? (value as unknown[]) : this.fail(key, `a list of ${of}`);
  }

  object(key: string, expected: string): CheckedFields {
    const value = fromText(this.raw(key));
    return isFields(value) ? this.inside(value, key) : this.fail(key, expected);
  }

  /** The objects of a list. */
  objects(key: string, of: string): CheckedFields[] {
    return this.list(key, of).map((value, index) =>
      isFields(value)
        ? this.inside(value, `${key}[${index}]`)
        : this.fail(`${key}[${index}]`, `an object ${of}`, value),
    );
  }

  /** The whole of the fields, for keys that are passed on. */
  all(): Fields {
    return this.fields;
  }

  fail(key: string, expected: string, found: unknown = this.raw(key)): never {
    throw errors.record(this.origin, this.format, this.name(key), expected, found);
  }

  /** The full name of a key: `messages[2].role`. */
  name(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  private inside(value: Fields, key: string): CheckedFields {
    return new CheckedFields({ value, origin: this.origin }, this.format, this.name(key));
  }
}

/** A list or object that came as JSON text (a CSV cell); anything else as it is. */
export function fromText(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
