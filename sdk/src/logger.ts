// How plugins write messages to the user; the kernel decides about colours, terminals and --json.

/** How a plugin writes messages to the user; with --json everything except events goes to stderr. */
export interface Logger {
  /** A line that a user wants to read. */
  info(message: string): void;
  /** Something is wrong, but work continues. */
  warn(message: string): void;
  error(message: string): void;
  /** Shown with --verbose. */
  debug(message: string): void;
  /** A structured event: a line of JSON with --json, `text` (or nothing) otherwise. */
  event(type: string, data: Readonly<Record<string, unknown>>, text?: string): void;
  /**
   * One line that replaces itself on a terminal; a plain line, where there is none, at most every
   * few seconds.
   */
  progress(text: string): void;
  /** A heading and rows, aligned. */
  table(title: string, rows: readonly (readonly [string, string])[]): void;
}
