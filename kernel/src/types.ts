// The types of the kernel's surface: options, outcomes, reports.
import type { CommandOutcome, CommandResults, Logger } from '@lmflow/sdk';
import type { TapReport, TapTime } from './hooks.ts';
import type { LoadOptions } from './load.ts';

export type KernelState = 'created' | 'configured' | 'running' | 'closed';

/** Options of createKernel beside the configuration itself. */
export interface KernelOptions extends LoadOptions {
  /**
   * Configuration as typed on a command line, stronger than everything else: `['--lora-r', '16']`.
   */
  readonly flags?: readonly string[];
  /** Where messages go; default: lines on the terminal. */
  readonly log?: Logger;
}

/** What a command is run with. */
export interface RunRequest {
  /** The command's own options (camelCase). */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly positionals?: readonly string[];
  /** When it is aborted, the command saves and ends. */
  readonly signal?: AbortSignal;
  /** Where text goes that is the command's product; default: stdout. */
  readonly output?: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** What a command gave back. */
export interface RunOutcome<R> extends CommandOutcome<R> {
  readonly exitCode: number;
  readonly result: R;
}

/** A value of the resolved configuration. */
export interface ResolvedSetting {
  readonly key: string;
  readonly value: unknown;
  /** `default`, `preset X`, the config file, `--flag`, ... */
  readonly origin: string;
}

/** What `lmflow inspect` shows. */
export interface KernelReport {
  readonly configFile: string | undefined;
  readonly presets: readonly string[];
  readonly plugins: readonly string[];
  readonly settings: readonly ResolvedSetting[];
  /** Hooks that are tapped: their taps in the order they run. */
  readonly hooks: Readonly<Record<string, readonly TapReport[]>>;
  /** Times of the taps that ran, the longest first. */
  readonly times: readonly TapTime[];
}

/** Type of a command's result, as its plugin declared it in CommandResults. */
export type ResultOf<N extends string> = N extends keyof CommandResults
  ? CommandResults[N]
  : unknown;
