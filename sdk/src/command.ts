// A subcommand of `lmflow`. Flags for configuration keys are made by the kernel from the option
// schemas; a command adds only its own.
import type { z } from 'zod';
import type { Config } from './config.ts';
import type { Refusal } from './refusal.ts';

/**
 * What a command gets when it runs: its flags, arguments and configuration, and a signal to stop.
 */
export interface CommandInvocation<O = Record<string, unknown>> {
  /** The command's own flags, parsed. */
  readonly options: O;
  readonly positionals: readonly string[];
  readonly config: Config;
  /** Aborted at the first Ctrl-C; a second one ends the process at once. */
  readonly signal: AbortSignal;
  /**
   * Where text goes that is the command's product and no message: stdout, or with --json stderr,
   * because stdout carries the events then.
   */
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** What a command returns where an exit code is not enough. */
export interface CommandOutcome<R = unknown> {
  /** 0 where left out. */
  readonly exitCode?: number;
  /** For programs: the `result` of `kernel.run(name)`. */
  readonly result?: R;
}

/**
 * Type of each command's `result`, by command name: `declare module '@lmflow/sdk' { interface
 * CommandResults { finetune: FitResult } }`.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- open for declaration merging
export interface CommandResults {}

/** A subcommand of `lmflow`, as `context.command` takes it; `S` is the schema of its own flags. */
export interface CommandSpec<S extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** One line for `lmflow --help`. */
  readonly summary: string;
  /** e.g. `<model> [file]`, for the usage line. */
  readonly usage?: string;
  /** Own flags (kebab case of the key). Everything in the configuration is a flag already. */
  readonly options?: S;
  /**
   * Other spellings of own flags: `{ maxTokens: 'maxNewTokens' }`. They are stronger than other
   * spellings of configuration keys.
   */
  readonly aliases?: Readonly<Record<string, string>>;
  /**
   * Flags that the command refuses, with the reason: names known elsewhere, and configuration keys
   * that have no effect on it.
   */
  readonly unsupported?: Readonly<Record<string, Refusal>>;
  /**
   * Configuration keys (`learningRate`, `lora.r`) that its help shows, in this order; sections come
   * first where all flags are shown.
   */
  readonly sections?: readonly string[];
  readonly examples?: readonly string[];
  /** Its `output` may be piped, so that on the command line messages go to stderr. */
  readonly pipes?: boolean;
  /**
   * Returns the exit code (undefined for 0), or an outcome with a result for programs.
   * Expected failures are thrown as LMFlowError.
   */
  run(invocation: CommandInvocation<z.output<S>>): Promise<number | CommandOutcome | undefined>;
}
