// A subcommand of `lmflow`. Flags for configuration keys are made by the kernel from the option schemas; a command adds only its own.
import type { z } from 'zod';
import type { Config } from './config.ts';

export interface CommandInvocation<O = Record<string, unknown>> {
  /** The command's own flags, parsed. */
  readonly options: O;
  readonly positionals: readonly string[];
  readonly config: Config;
  /** Aborted at the first Ctrl-C; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

export interface CommandSpec {
  readonly name: string;
  /** One line for `lmflow --help`. */
  readonly summary: string;
  /** e.g. `<model> [file]`, for the usage line. */
  readonly usage?: string;
  /** Own flags (kebab case of the key). Everything in the configuration is a flag already. */
  readonly options?: z.ZodObject;
  /** Configuration keys and sections its help lists first. */
  readonly sections?: readonly string[];
  readonly examples?: readonly string[];
  /** The exit code, 0 where nothing is returned. Expected failures are thrown as LMFlowError. */
  run(invocation: CommandInvocation): Promise<number | undefined>;
}
