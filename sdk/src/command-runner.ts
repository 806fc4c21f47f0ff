// Running further commands from a command: stages of a pipeline.
import type { CommandOutcome } from './command.ts';
import type { Logger } from './logger.ts';
import type { UserConfig } from './user-config.ts';

/** A command to be run beside the one that asks. */
export interface CommandRun {
  readonly command: string;
  /**
   * All of its configuration. Where it lists neither presets nor plugins, those of the kernel that is
   * asked are loaded; names and files are looked up as in that kernel's configuration.
   */
  readonly config: UserConfig;
  /** The command's own flags, in camelCase. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly positionals?: readonly string[];
  readonly signal?: AbortSignal;
  /** Where its product goes; default: stdout. */
  readonly output?: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Where its messages go; default: where those of the asking kernel go. */
  readonly log?: Logger;
}

/** Runs commands (token COMMANDS; every kernel has it). */
export interface CommandRunner {
  /**
   * Runs a command in a kernel of its own, which is closed afterwards. Throws what making the kernel
   * and the command throw.
   */
  run(run: CommandRun): Promise<CommandOutcome & { readonly exitCode: number }>;
}
