// Tables that plugins add rows to in `apply`: engines, optimizers, formats, ... Plain strings inside,
// so that two copies of this package agree. Services, of which a kernel has one: token.ts.

/** A table of rows of one type, each with a unique name. */
export interface Registry<R extends { readonly name: string }> {
  readonly name: string;
  /** What a row is, for messages: `optimizer`. */
  readonly what: string;
  /** The plugin that usually brings rows, for messages. */
  readonly usuallyFrom?: string;
  /** Carries R for the type checker; never set. */
  readonly row?: R;
}

/** The rows that plugins have added, in the order of the plugins. */
export interface Rows<R extends { readonly name: string }> extends Iterable<R> {
  readonly size: number;
  /** The row of this name. */
  get(name: string): R | undefined;
  has(name: string): boolean;
  names(): string[];
  /** The plugin that added a row. */
  pluginOf(name: string): string | undefined;
}

/**
 * Makes a registry. `name` is unique in a kernel, a plugin's own carries its package name; `what` is
 * what a row is.
 */
export function registry<R extends { readonly name: string }>(
  name: string,
  what: string,
  usuallyFrom?: string,
): Registry<R> {
  return Object.freeze({ name, what, ...(usuallyFrom === undefined ? {} : { usuallyFrom }) });
}
