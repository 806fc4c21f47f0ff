// lmflow/testing: a kernel in memory for tests, whose messages are kept. Models and data to test with
// are in @lmflow/sdk/testing.
import type { Logger, Pluggable, UserConfig } from '@lmflow/sdk';
import { createKernel, type Kernel } from '../index.ts';

/** A message of a test's kernel. */
export interface Said {
  readonly kind: 'info' | 'warn' | 'error' | 'debug' | 'progress' | 'event' | 'table';
  readonly text: string;
  /** Of an event. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A Logger that keeps everything. */
export interface CapturedLog extends Logger {
  readonly said: readonly Said[];
  /** Texts of one kind. */
  texts(kind: Said['kind']): string[];
}

/** Makes a logger that keeps its messages and prints nothing. */
export function captureLog(): CapturedLog {
  const said: Said[] = [];
  const keep =
    (kind: Said['kind']) =>
    (text: string): void => {
      said.push({ kind, text });
    };
  return {
    said,
    texts: (kind) => said.filter((item) => item.kind === kind).map(({ text }) => text),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    debug: keep('debug'),
    progress: keep('progress'),
    event: (type, data, text) => {
      said.push({ kind: 'event', text: text ?? type, data: { type, ...data } });
    },
    table: (title, rows) => {
      said.push({
        kind: 'table',
        text: [title, ...rows.map(([name, value]) => `${name}: ${value}`)].join('\n'),
      });
    },
  };
}

export interface TestKernelOptions {
  /** Loaded in this order; no config file is read. */
  readonly plugins?: readonly Pluggable[];
  readonly presets?: readonly Pluggable[];
  readonly config?: UserConfig;
  readonly flags?: readonly string[];
  readonly cwd?: string;
}

/** A kernel whose messages are in `log`. Close it at the test's end. */
export async function createTestKernel(
  options: TestKernelOptions = {},
): Promise<{ readonly kernel: Kernel; readonly log: CapturedLog }> {
  const log = captureLog();
  const { plugins = [], presets = [], config = {}, flags, cwd } = options;
  const kernel = await createKernel(
    {
      ...config,
      presets: [...(config.presets ?? []), ...presets],
      plugins: [...(config.plugins ?? []), ...plugins],
    },
    { log, ...(flags === undefined ? {} : { flags }), ...(cwd === undefined ? {} : { cwd }) },
  );
  return { kernel, log };
}
