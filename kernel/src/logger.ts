// The Logger that writes to a terminal or to plain streams. Colour, --json and --verbose are
// decided here, not by plugins.
import { styleText } from 'node:util';
import type { Logger } from '@lmflow/sdk';

/** The part of a stream that is used. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface LoggerOptions {
  /** Events as lines of JSON on stdout; lines for people on stderr. */
  readonly json?: boolean;
  readonly verbose?: boolean;
  /** Unless told: where the stream is a terminal and NO_COLOR is not set. */
  readonly color?: boolean;
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Milliseconds between progress lines where there is no terminal. */
  readonly progressInterval?: number;
}

/** A logger with an end: a progress line that still stands gets its newline. */
export interface TerminalLogger extends Logger {
  end(): void;
  /** From now on what people read goes to stderr: stdout is a command's product. */
  leaveStdout(): void;
}

type Style = 'red' | 'yellow' | 'dim' | 'bold';

/** Makes a logger for the process's streams, or given ones. */
export function createLogger(options: LoggerOptions = {}): TerminalLogger {
  const {
    json = false,
    verbose = false,
    stdout = process.stdout,
    stderr = process.stderr,
    progressInterval = 5000,
  } = options;
  // for people: progress and messages share one stream, so that a line can take the progress line's
  // place
  let people = json ? stderr : stdout;
  const terminal = (): boolean => people.isTTY === true && process.env['TERM'] !== 'dumb';
  let standing = false;
  let lastProgress = -Infinity;

  const colored = (stream: Output): boolean =>
    options.color ?? (stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '');
  const paint = (style: Style, text: string, stream: Output): string =>
    colored(stream) ? styleText(style, text, { validateStream: false }) : text;
  const line = (stream: Output, text: string): void => {
    if (standing) {
      people.write('\r\u001b[2K');
      standing = false;
    }
    stream.write(`${text}\n`);
  };

  return {
    info: (message) => {
      line(people, message);
    },
    warn: (message) => {
      line(stderr, `${paint('yellow', 'warning:', stderr)} ${message}`);
    },
    error: (message) => {
      line(stderr, `${paint('red', 'error:', stderr)} ${message}`);
    },
    debug: (message) => {
      if (verbose) line(stderr, paint('dim', message, stderr));
    },
    event(type, data, text) {
      if (json) stdout.write(`${JSON.stringify({ type, ...data })}\n`);
      else if (text !== undefined) line(people, text);
    },
    progress(text) {
      if (terminal()) {
        people.write(`\r\u001b[2K${fit(text, (people.columns ?? 80) - 1)}`);
        standing = true;
        return;
      }
      const now = performance.now();
      if (now - lastProgress < progressInterval) return;
      lastProgress = now;
      line(people, text);
    },
    table(title, rows) {
      const width = Math.max(0, ...rows.map(([name]) => name.length));
      if (title !== '') line(people, paint('bold', title, people));
      for (const [name, value] of rows) line(people, `  ${name.padEnd(width)}  ${value}`.trimEnd());
    },
    end() {
      if (standing) people.write('\n');
      standing = false;
    },
    leaveStdout() {
      people = stderr;
    },
  };
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 3))}...`;
}

/** A logger that says nothing: for applications that want quiet. */
export function silentLogger(): Logger {
  const nothing = (): void => undefined;
  return {
    info: nothing,
    warn: nothing,
    error: nothing,
    debug: nothing,
    event: nothing,
    progress: nothing,
    table: nothing,
  };
}
