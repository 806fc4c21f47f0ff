// Exit codes of the command, by error code. docs/errors.md shows them beside each code.
import { isLMFlowError } from '@lmflow/sdk';

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
} as const;

const usage =
  /^LMFLOW_(CONFIG|OPTION|FLAG|ARGUMENT|COMMAND|PLUGIN|PRESET|TOKEN|INIT|OUTPUT|RESUME_CHANGED|SETTING|LORA|DEVICE|NOTHING_TO_TRAIN|NO_EVALUATION_DATA)(_|$)/;
const failure = /^LMFLOW_(HOOK|KERNEL|CLOSE|LIFECYCLE|GRAPH|GRADIENT|OP|ENGINE|LOSS)(_|$)/;

/**
 * The exit code for anything thrown. Codes of neither kind are about what was read: model, data,
 * checkpoint.
 */
export function exitCodeOf(error: unknown): number {
  return isLMFlowError(error) ? exitCodeOfCode(error.code) : ExitCode.Failure;
}

/** The exit code for an error's code. */
export function exitCodeOfCode(code: string): number {
  if (code === 'LMFLOW_ABORTED') return ExitCode.Interrupted;
  if (failure.test(code)) return ExitCode.Failure;
  return usage.test(code) ? ExitCode.Usage : ExitCode.Input;
}
