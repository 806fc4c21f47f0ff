// What a value of a record is, also where it came as JSON text (a CSV cell).
import { JsonNumber, isFields, parseJson, type RecordFields } from '@lmflow/sdk';

/** A record of JSON as formats take it: numbers among its own values are JavaScript's. */
export function recordFields(value: RecordFields): RecordFields {
  const written = Object.entries(value).filter(([, member]) => member instanceof JsonNumber);
  if (written.length === 0) return value;
  return { ...value, ...Object.fromEntries(written.map(([key, member]) => [key, Number(member)])) };
}

/** A list or object that came as JSON text; anything else as it is. */
export function fromText(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    return parseJson(value);
  } catch {
    return value;
  }
}

/** Whether a value is a list of objects that have one of `keys`. */
export function listWith(value: unknown, ...keys: readonly string[]): boolean {
  const list = fromText(value);
  return (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((item) => isFields(item) && keys.some((key) => key in item))
  );
}
