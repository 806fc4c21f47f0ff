// Errors about the configuration: finding it, its keys, its values.
import { join } from 'node:path';
import { messageOf, usageError, LMFlowError } from '@lmflow/sdk';
import { kindOf, shown } from './shown.ts';

/** LMFLOW_CONFIG_NOT_FOUND: a config file was named and does not exist. */
export function configNotFound(file: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_NOT_FOUND', `the config file ${file} does not exist`, {
    hint: 'Correct --config, or leave it out: lmflow then looks for lmflow.config.ts in this folder and above.',
  });
}

/**
 * LMFLOW_CONFIG_NOT_FOUND: a folder was named where a config file is expected.
 *
 * `inside` is the name of a config file in it.
 */
export function configFolder(folder: string, inside: string | undefined): LMFlowError {
  return usageError('LMFLOW_CONFIG_NOT_FOUND', `the config file ${folder} is a folder`, {
    hint:
      inside === undefined
        ? 'Name a file in it: --config FOLDER/lmflow.config.ts.'
        : `Name the file in it: --config ${join(folder, inside)}.`,
  });
}

/** LMFLOW_CONFIG_NOT_FOUND: a package.json was named that has no configuration. */
export function packageWithoutConfig(file: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_NOT_FOUND', `${file} has no key "lmflow"`, {
    hint: 'Write the configuration into it: "lmflow": { "model": ... }.',
  });
}

/** LMFLOW_CONFIG_LOAD_FAILED: a config file does not parse, or throws while it is loaded. */
export function configLoadFailed(
  file: string,
  cause: unknown,
  message = messageOf(cause),
): LMFlowError {
  return usageError('LMFLOW_CONFIG_LOAD_FAILED', `${file} cannot be loaded: ${message}`, {
    cause,
  });
}

/** LMFLOW_CONFIG_INVALID: the whole configuration has a wrong shape. */
export function configNotAnObject(origin: string, value: unknown): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_INVALID',
    `${origin}: a configuration must be an object, not ${kindOf(value)}`,
    {
      hint: 'Write export default defineConfig({ presets: [...], model: ..., dataset: ... }).',
    },
  );
}

/** LMFLOW_CONFIG_INVALID: a config file exports nothing as default. */
export function configWithoutDefault(file: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_INVALID', `${file} is empty or has no default export`, {
    hint: 'Write export default defineConfig({ ... }) into it.',
  });
}

/** LMFLOW_CONFIG_INVALID: `presets` or `plugins` is not a list. */
export function listExpected(origin: string, key: string, value: unknown): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_INVALID',
    `${origin}: ${key} must be a list, not ${kindOf(value)}`,
    {
      hint: typeof value === 'string' ? `Write ${key}: ['${value}'].` : `Write ${key}: [...].`,
    },
  );
}

/**
 * LMFLOW_CONFIG_INVALID: values that break their rules; one line each: key, value, origin, rule.
 */
export function configInvalid(lines: readonly string[], hint?: string): LMFlowError {
  const message =
    lines.length === 1
      ? lines[0]!
      : `${lines.length} values are not valid:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
  return usageError('LMFLOW_CONFIG_INVALID', message, hint === undefined ? {} : { hint });
}

/**
 * LMFLOW_CONFIG_INVALID: a section is neither an object nor a permitted shorthand. `hasSwitch`:
 * false turns it off.
 */
export function sectionInvalid(
  section: string,
  value: unknown,
  origin: string,
  hasSwitch: boolean,
): LMFlowError {
  const allowed = hasSwitch ? 'an object, true or false' : 'an object, or true for its defaults';
  return configInvalid(
    [`${section} = ${shown(value)} (from ${origin}) must be ${allowed}`],
    value === false ? 'Leave its plugin out of presets and plugins instead.' : undefined,
  );
}

/** LMFLOW_CONFIG_INVALID: one place gives one key under two names. */
export function givenTwice(first: string, second: string, origin: string): LMFlowError {
  return configInvalid(
    [`${origin} gives both ${first} and ${second}, which are the same key`],
    'Keep one of them.',
  );
}

/** LMFLOW_CONFIG_INVALID: one place gives two keys that exclude each other. */
export function alternativesGiven(
  first: { readonly path: string; readonly origin: string },
  second: { readonly path: string; readonly origin: string },
): LMFlowError {
  const where =
    first.origin === second.origin ? first.origin : `${first.origin} and ${second.origin}`;
  return configInvalid(
    [`${first.path} and ${second.path} (from ${where}) exclude each other`],
    'Keep one of them.',
  );
}

/** LMFLOW_CONFIG_UNKNOWN_KEY: nothing that is loaded knows the key. */
export function unknownKey(key: string, origin: string, hint: string | undefined): LMFlowError {
  return usageError('LMFLOW_CONFIG_UNKNOWN_KEY', `unknown key "${key}" (from ${origin})`, {
    hint:
      hint ??
      'Load the plugin that has it (presets, plugins), or see `lmflow <command> --help` for all keys.',
  });
}

/** LMFLOW_OPTION_UNSUPPORTED: an option of other tools that lmflow refuses, with the reason. */
export function optionUnsupported(key: string, origin: string, reason: string): LMFlowError {
  return usageError(
    'LMFLOW_OPTION_UNSUPPORTED',
    `"${key}" (from ${origin}) is not supported: ${reason}`,
  );
}

/**
 * All refused keys of one place as one error, with the code of the first; each line has its own
 * hint.
 */
export function keysRefused(errors: readonly LMFlowError[]): LMFlowError {
  const first = errors[0]!;
  if (errors.length === 1) return first;
  const lines = errors.map(
    ({ message, hint }) => `  - ${message}${hint === undefined ? '' : `. ${hint}`}`,
  );
  return new LMFlowError(
    first.kind,
    first.code as `LMFLOW_${string}`,
    `${errors.length} keys are not valid:\n${lines.join('\n')}`,
  );
}

/** LMFLOW_OPTION_CONFLICT: two owners declare one key, section or flag. */
export function optionConflict(what: string, first: string, second: string): LMFlowError {
  return usageError(
    'LMFLOW_OPTION_CONFLICT',
    `${what} is declared by both ${first} and ${second}`,
    {
      hint: `Leave one of them out, or declare the keys of ${second} in a section.`,
    },
  );
}
