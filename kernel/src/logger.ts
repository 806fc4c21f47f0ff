// The Logger that writes to a terminal or to plain streams. Colour, --json and --verbose are
// decided here, not by plugins.
import { styleText } from 'node:util';
import type { Logger } from '@lmflow/sdk';
import { pad, widest } from './columns.ts';

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
  /** Default: yes where the stream is a terminal and NO_COLOR is not set. */
  readonly color?: boolean;
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Milliseconds between progress lines where there is no terminal. */
  readonly progressInterval?: number;
}

/** A logger that can end: a progress line that still stands gets its newline. */
export interface TerminalLogger extends Logger {
  end(): void;
  /** From now on what people read goes to stderr, because stdout carries a command's product. */
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
  const terminal = new Terminal(json ? stderr : stdout, progressInterval);
  const paint = (style: Style, text: string, stream: Output): string => {
    const colored =
      options.color ?? (stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '');
    return colored ? styleText(style, text, { validateStream: false }) : text;
  };
  return {
    info: (message) => {
      terminal.line(message);
    },
    warn: (message) => {
      terminal.line(`${paint('yellow', 'warning:', stderr)} ${message}`, stderr);
    },
    error: (message) => {
      terminal.line(`${paint('red', 'error:', stderr)} ${message}`, stderr);
    },
    debug: (message) => {
      if (verbose) terminal.line(paint('dim', message, stderr), stderr);
    },
    event(type, data, text) {
      if (json) stdout.write(`${JSON.stringify({ type, ...data })}\n`);
      else if (text !== undefined) terminal.line(text);
    },
    progress(text) {
      terminal.progress(text);
    },
    table(title, rows) {
      const width = widest(rows.map(([name]) => name));
      if (title !== '') terminal.line(paint('bold', title, terminal.people));
      for (const [name, value] of rows) {
        terminal.line(`  ${pad(name, width)}  ${value}`.trimEnd());
      }
    },
    end() {
      terminal.end();
    },
    leaveStdout() {
      terminal.people = stderr;
    },
  };
}

/** Lines, and one line of progress that lines take the place of. */
class Terminal {
  /** Progress and messages for people share one stream. */
  people: Output;
  readonly #interval: number;
  #standing = false;
  #lastProgress = -Infinity;

  constructor(people: Output, interval: number) {
    this.people = people;
    this.#interval = interval;
  }

  line(text: string, stream = this.people): void {
    if (this.#standing) {
      this.people.write('\r\u001b[2K');
      this.#standing = false;
    }
    stream.write(`${text}\n`);
  }

  progress(text: string): void {
    if (this.people.isTTY === true && process.env['TERM'] !== 'dumb') {
      this.people.write(`\r\u001b[2K${fit(text, (this.people.columns ?? 80) - 1)}`);
      this.#standing = true;
      return;
    }
    const now = performance.now();
    if (now - this.#lastProgress < this.#interval) return;
    this.#lastProgress = now;
    this.line(text);
  }

  end(): void {
    if (this.#standing) this.people.write('\n');
    this.#standing = false;
  }
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 3))}...`;
}

/** A logger that writes nothing, for applications that want no output. */
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
