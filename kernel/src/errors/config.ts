// Errors about the configuration: finding it, its keys, its values.
import { join } from 'node:path';
import { messageOf, usageError, LMFlowError } from '@lmflow/sdk';
import { kindOf, shown } from './shown.ts';

/** LMFLOW_CONFIG_NOT_FOUND: a config file was named and does not exist. */
export function configNotFound(file: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_NOT_FOUND', `the config file ${file} does not exist`, {
    hint: "check --config; without it lmflow.config.ts is looked for in this folder and its parents, up to the project's root",
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
        ? 'name a file in it: --config FOLDER/lmflow.config.ts'
        : `name the file in it: --config ${join(folder, inside)}`,
  });
}

/** LMFLOW_CONFIG_NOT_FOUND: a package.json was named that has no configuration. */
export function packageWithoutConfig(file: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_NOT_FOUND', `${file} has no key "lmflow"`, {
    hint: 'write the configuration into it: "lmflow": { "model": ... }',
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
      hint: 'export default defineConfig({ presets: [...], model: ..., dataset: ... })',
    },
  );
}

/** LMFLOW_CONFIG_INVALID: a config file exports nothing as default. */
export function configWithoutDefault(file: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_INVALID', `${file} is empty or has no default export`, {
    hint: 'a config file says: export default defineConfig({ ... })',
  });
}

/** LMFLOW_CONFIG_INVALID: `presets` or `plugins` is not a list. */
export function listExpected(origin: string, key: string, value: unknown): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_INVALID',
    `${origin}: ${key} must be a list, not ${kindOf(value)}`,
    {
      hint: typeof value === 'string' ? `write ${key}: ['${value}']` : `write ${key}: [...]`,
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
      : `${lines.length} values are not right:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
  return usageError('LMFLOW_CONFIG_INVALID', message, hint === undefined ? {} : { hint });
}

/**
 * LMFLOW_CONFIG_INVALID: a section is neither an object nor a permitted shorthand. `hasSwitch`: it
 * may be turned off by false.
 */
export function sectionInvalid(
  section: string,
  value: unknown,
  origin: string,
  hasSwitch: boolean,
): LMFlowError {
  return configInvalid(
    [
      `${section} = ${shown(value)} (from ${origin}) must be an object, ${hasSwitch ? 'true or false' : 'or true for its defaults'}`,
    ],
    value === false
      ? `"${section}" has no switch: leave its plugin out of presets and plugins instead`
      : undefined,
  );
}

/** LMFLOW_CONFIG_INVALID: one place gives one key under two names. */
export function givenTwice(first: string, second: string, origin: string): LMFlowError {
  return configInvalid(
    [`${origin} gives both ${first} and ${second}, which are the same key`],
    'keep one of them',
  );
}

/** Two keys from one place that say the same thing in different ways. */
export function alternativesGiven(
  one: { readonly path: string; readonly origin: string },
  other: { readonly path: string; readonly origin: string },
): LMFlowError {
  const where = one.origin === other.origin ? one.origin : `${one.origin} and ${other.origin}`;
  return configInvalid(
    [`${one.path} and ${other.path} (from ${where}) are two ways to say one thing`],
    'keep one of them',
  );
}

/** LMFLOW_CONFIG_UNKNOWN_KEY: nothing that is loaded knows the key. */
export function unknownKey(key: string, origin: string, hint: string | undefined): LMFlowError {
  return usageError('LMFLOW_CONFIG_UNKNOWN_KEY', `unknown key "${key}" (from ${origin})`, {
    hint:
      hint ??
      'no loaded plugin has it: load the plugin that does (presets, plugins), or see `lmflow <command> --help` for all keys',
  });
}

/** LMFLOW_OPTION_UNSUPPORTED: a name known from elsewhere that is refused, with the reason. */
export function optionUnsupported(key: string, origin: string, reason: string): LMFlowError {
  return usageError(
    'LMFLOW_OPTION_UNSUPPORTED',
    `"${key}" (from ${origin}) is not supported: ${reason}`,
  );
}

/**
 * Several keys that one place should not have, as one error with the first's code; each line with
 * its own hint.
 */
export function keysRefused(errors: readonly LMFlowError[]): LMFlowError {
  const first = errors[0]!;
  if (errors.length === 1) return first;
  const lines = errors.map(
    ({ message, hint }) => `  - ${message}${hint === undefined ? '' : `; ${hint}`}`,
  );
  return new LMFlowError(
    first.kind,
    first.code as `LMFLOW_${string}`,
    `${errors.length} keys are not right:\n${lines.join('\n')}`,
  );
}

/** LMFLOW_OPTION_CONFLICT: two owners declare one key, section or flag. */
export function optionConflict(what: string, first: string, second: string): LMFlowError {
  return usageError(
    'LMFLOW_OPTION_CONFLICT',
    `${what} is declared by both ${first} and ${second}`,
    {
      hint: `leave one of them out, or give ${second}'s keys a section of their own`,
    },
  );
}
