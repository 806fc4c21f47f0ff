// Errors about what was typed: commands, flags, arguments.
import { didYouMean, failureError, usageError, type LMFlowError } from '@lmflow/sdk';

/** LMFLOW_COMMAND_UNKNOWN: nobody contributes the command; `known` are those there are. */
export function commandUnknown(name: string, known: readonly string[]): LMFlowError {
  const near = didYouMean(name, known);
  const hint =
    near === undefined
      ? `Choose one of ${known.join(', ')}, or load the plugin or preset that has it.`
      : `Did you mean "${near}"?`;
  return usageError('LMFLOW_COMMAND_UNKNOWN', `there is no command "${name}"`, { hint });
}

/** LMFLOW_COMMAND_INVALID: a plugin contributes something that is not a command. */
export function commandInvalid(plugin: string, what: string): LMFlowError {
  return usageError('LMFLOW_COMMAND_INVALID', `${plugin}: ${what}`, {
    hint: 'Write context.command({ name, summary, run }).',
  });
}

/** LMFLOW_COMMAND_DUPLICATE: two plugins contribute one command, or it is one of lmflow's own. */
export function commandDuplicate(name: string, first: string, second: string): LMFlowError {
  return usageError(
    'LMFLOW_COMMAND_DUPLICATE',
    `the command "${name}" is contributed by both ${first} and ${second}`,
    { hint: 'Load only one of the two.' },
  );
}

/** LMFLOW_FLAG_UNKNOWN: no key, no section and no option of the command has this flag. */
export function flagUnknown(flag: string, command: string, hint: string | undefined): LMFlowError {
  return usageError('LMFLOW_FLAG_UNKNOWN', `unknown flag ${flag}`, {
    hint: hint ?? `See lmflow ${command} --help for all flags.`,
  });
}

/** LMFLOW_FLAG_INVALID: a flag is used wrongly. */
export function flagInvalid(flag: string, what: string, hint?: string): LMFlowError {
  return usageError('LMFLOW_FLAG_INVALID', `${flag} ${what}`, hint === undefined ? {} : { hint });
}

/** LMFLOW_ARGUMENT_UNEXPECTED: a second name where `lmflow help` or `completion` takes one. */
export function wordUnexpected(command: string, first: string, second: string): LMFlowError {
  return usageError(
    'LMFLOW_ARGUMENT_UNEXPECTED',
    `lmflow ${command} takes one name, but got "${first}" and "${second}"`,
    { hint: `Run lmflow ${command} ${first}.` },
  );
}

/** LMFLOW_ARGUMENT_UNEXPECTED: an argument that is no flag, where the command takes none. */
export function argumentUnexpected(argument: string, command: string): LMFlowError {
  const key = /^([A-Za-z_]\w*)=(.*)$/.exec(argument);
  return usageError(
    'LMFLOW_ARGUMENT_UNEXPECTED',
    `lmflow ${command} takes no argument, but got "${argument}"`,
    {
      hint: key
        ? `Did you mean --${key[1]} ${key[2]}?`
        : 'Give values with flags: --model PATH --dataset PATH.',
    },
  );
}

/** LMFLOW_INIT_EXISTS: `lmflow init` would overwrite a config. */
export function initExists(file: string): LMFlowError {
  return usageError('LMFLOW_INIT_EXISTS', `${file} exists already`, {
    hint: 'Edit it, or remove it first.',
  });
}

/** LMFLOW_COMMAND_EXIT_CODE: a command gave an exit code that no process can have. */
export function exitCodeInvalid(command: string, plugin: string, code: unknown): LMFlowError {
  return failureError(
    'LMFLOW_COMMAND_EXIT_CODE',
    `${command} of ${plugin} gave the exit code ${String(code)}`,
    { hint: 'Give an integer from 0 to 255.' },
  );
}

/** LMFLOW_SHELL_UNKNOWN: there is no completion for the shell. */
export function shellUnknown(shell: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_SHELL_UNKNOWN',
    shell === '' ? 'completion needs the name of a shell' : `there is no completion for "${shell}"`,
    { hint: `Choose one of ${known.join(', ')}.` },
  );
}
