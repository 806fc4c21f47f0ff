// config.json with checked access: every value is asked for by name and kind, and a wrong one is an
// error that says so.
import { configInvalid, settingUnsupported } from '../errors.ts';

/**
 * A value's fallback; without one the key must be there. `null` in the file counts as absent, as in
 * transformers.
 */
type Fallback<T> = T | undefined;

export class ConfigReader {
  constructor(
    readonly file: string,
    readonly values: Readonly<Record<string, unknown>>,
  ) {}

  /** The value, or undefined where it is absent or null. */
  get(key: string): unknown {
    return this.values[key] ?? undefined;
  }

  /** A positive integer. */
  count(key: string, fallback?: Fallback<number>): number {
    return this.#typed(
      key,
      fallback,
      'a positive integer',
      (value): value is number => Number.isSafeInteger(value) && (value as number) > 0,
    );
  }

  /** A positive number. */
  positive(key: string, fallback?: Fallback<number>): number {
    return this.#typed(
      key,
      fallback,
      'a positive number',
      (value): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0,
    );
  }

  flag(key: string, fallback: boolean): boolean {
    return this.#typed(
      key,
      fallback,
      'true or false',
      (value): value is boolean => typeof value === 'boolean',
    );
  }

  text(key: string, fallback?: Fallback<string>): string {
    return this.#typed(
      key,
      fallback,
      'a string',
      (value): value is string => typeof value === 'string',
    );
  }

  /** A list of so many positive numbers. */
  numbers(key: string, length: number): readonly number[] {
    const isNumber = (value: unknown): boolean => typeof value === 'number' && value > 0;
    return this.#typed(
      key,
      undefined,
      `a list of ${length} positive numbers`,
      (value): value is number[] =>
        Array.isArray(value) && value.length === length && value.every(isNumber),
    );
  }

  /** An object; undefined where absent. */
  section(key: string): ConfigReader | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw configInvalid(this.file, key, 'an object', value);
    }
    return new ConfigReader(`${this.file}, ${key}`, value as Record<string, unknown>);
  }

  /** Refuses the model where `key` is set to something else than what this project computes. */
  refuse(key: string, harmless: readonly unknown[], reason: string): void {
    const value = this.get(key);
    if (value !== undefined && !harmless.includes(value)) {
      throw settingUnsupported(this.file, key, value, reason);
    }
  }

  /** The error for a value that `get` gave. */
  invalid(key: string, expected: string): Error {
    return configInvalid(this.file, key, expected, this.values[key]);
  }

  #typed<T>(
    key: string,
    fallback: Fallback<T>,
    expected: string,
    fits: (value: unknown) => value is T,
  ): T {
    const value = this.get(key);
    if (value === undefined && fallback !== undefined) return fallback;
    if (!fits(value)) throw configInvalid(this.file, key, expected, this.values[key]);
    return value;
  }
}
