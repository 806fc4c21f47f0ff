// The checked access to a record's fields that all formats use.
import {
  JsonNumber,
  isFields,
  type ChatMessage,
  type CheckedFields,
  type RawRecord,
  type RecordFields,
  type RecordOrigin,
} from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { fromText } from './json-values.ts';
import { messages } from './messages.ts';

/** The checks that formats use; each failure names file, record, key and what was expected. */
export class RecordChecks implements CheckedFields {
  readonly origin: RecordOrigin;
  private readonly format: string;
  private readonly fields: RecordFields;
  private readonly path: string;

  constructor(record: Pick<RawRecord, 'value' | 'origin'>, format: string, path = '') {
    this.fields = record.value;
    this.origin = record.origin;
    this.format = format;
    this.path = path;
  }

  // null is the same as absent: Parquet and CSV have no absent
  raw(key: string): unknown {
    const value = this.fields[key] ?? undefined;
    return value instanceof JsonNumber ? Number(value) : value;
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
    const written = typeof value === 'string' && value.trim() !== '';
    const number = written || typeof value === 'bigint' ? Number(value) : value;
    return number === undefined || (typeof number === 'number' && Number.isFinite(number))
      ? number
      : this.fail(key, 'a number');
  }

  list(key: string, of: string): readonly unknown[] {
    const value = fromText(this.raw(key));
    return Array.isArray(value) ? (value as unknown[]) : this.fail(key, `a list of ${of}`);
  }

  object(key: string, expected: string): CheckedFields {
    const value = fromText(this.raw(key));
    return isFields(value) ? this.inside(value, key) : this.fail(key, expected);
  }

  objects(key: string, of: string): CheckedFields[] {
    return this.list(key, of).map((value, index) =>
      isFields(value)
        ? this.inside(value, `${key}[${index}]`)
        : this.fail(`${key}[${index}]`, `an object ${of}`, value),
    );
  }

  messages(key: string): ChatMessage[] {
    return messages(this, key);
  }

  all(): RecordFields {
    return this.fields;
  }

  fail(key: string, expected: string, found: unknown = this.raw(key)): never {
    throw errors.record(this.origin, this.format, { key: this.name(key), expected, found });
  }

  name(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  private inside(value: RecordFields, key: string): CheckedFields {
    return new RecordChecks({ value, origin: this.origin }, this.format, this.name(key));
  }
}
