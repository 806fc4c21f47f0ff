// Exit codes of the command, by the kind of an error. docs/errors.md shows them beside each code.
import { isLMFlowError, type ErrorKind } from '@lmflow/sdk';

/** What the process ends with. */
export const ExitCode = {
  Ok: 0,
  /** It did not work, and not because of what was given: a runtime failure, or a bug. */
  Failure: 1,
  /** Wrong usage, configuration or plugins. */
  Usage: 2,
  /** Bad input: a model, data, a checkpoint. */
  Input: 3,
  /** Ended by Ctrl-C; what a command saves on Ctrl-C is saved. */
  Interrupted: 130,
  /** Ended by SIGTERM, as with Ctrl-C. */
  Terminated: 143,
  /** Ended by SIGHUP, as with Ctrl-C. */
  HungUp: 129,
} as const;

const codes: Readonly<Record<ErrorKind, number>> = {
  usage: ExitCode.Usage,
  input: ExitCode.Input,
  failure: ExitCode.Failure,
  interrupted: ExitCode.Interrupted,
};

/** The exit code for anything thrown: that of its kind; what is no LMFlowError is a failure. */
export function exitCodeOf(error: unknown): number {
  return isLMFlowError(error) ? exitCodeOfKind(error.kind) : ExitCode.Failure;
}

/** The exit code for a kind of error. */
export function exitCodeOfKind(kind: ErrorKind): number {
  // another copy of the sdk may make errors without a kind
  return codes[kind] ?? ExitCode.Failure;
}
