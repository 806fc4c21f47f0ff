// Errors about plugins and presets: finding, admitting, ordering and applying them.
import { didYouMean, messageOf, type LMFlowError, usageError } from '@lmflow/sdk';
import { listed } from './shown.ts';

/** LMFLOW_PLUGIN_NOT_FOUND: no package of that name is installed. */
export function pluginNotFound(
  name: string,
  tried: readonly string[],
  from: string,
  install: string,
): LMFlowError {
  const looked = tried.length === 1 && tried[0] === name ? '' : ` (looked for ${listed(tried)})`;
  return usageError(
    'LMFLOW_PLUGIN_NOT_FOUND',
    `"${name}", listed in ${from}, is not installed${looked}`,
    {
      hint: `Run npm install ${install}.`,
    },
  );
}

/** LMFLOW_PLUGIN_LOAD_FAILED: the package is there, but importing it throws. */
export function pluginLoadFailed(name: string, cause: unknown): LMFlowError {
  return usageError(
    'LMFLOW_PLUGIN_LOAD_FAILED',
    `"${name}" cannot be imported: ${messageOf(cause)}`,
    { cause },
  );
}

/** LMFLOW_PLUGIN_INVALID: what is listed is not a plugin; `what` says what it is. */
export function pluginInvalid(where: string, what: string, hint?: string): LMFlowError {
  return usageError('LMFLOW_PLUGIN_INVALID', `${where}: ${what}`, {
    hint:
      hint ?? 'Make the plugin with definePlugin({ name, version, sdk, apply }) of @lmflow/sdk.',
  });
}

/** LMFLOW_PRESET_INVALID: a preset has a wrong shape. */
export function presetInvalid(name: string, what: string): LMFlowError {
  return usageError('LMFLOW_PRESET_INVALID', `preset ${name}: ${what}`, {
    hint: 'Write a preset as { name, plugins: [...], config?: {...} }.',
  });
}

/** LMFLOW_PLUGIN_DUPLICATE: one list names a plugin twice. */
export function pluginDuplicate(name: string, from: string): LMFlowError {
  return usageError('LMFLOW_PLUGIN_DUPLICATE', `${name} is listed twice in ${from}`, {
    hint: 'Keep one of them.',
  });
}

/** LMFLOW_PLUGIN_SDK_MISMATCH: the plugin was made for other versions of the sdk. */
export function sdkMismatch(
  plugin: string,
  version: string,
  range: string,
  sdk: string,
): LMFlowError {
  return usageError(
    'LMFLOW_PLUGIN_SDK_MISMATCH',
    `${plugin} ${version} needs @lmflow/sdk ${range}, but ${sdk} is installed`,
    {
      hint: `Run npm install ${plugin}@latest lmflow@latest.`,
    },
  );
}

/** LMFLOW_PLUGIN_REQUIRES_MISSING: a plugin needs plugins that are not loaded. */
export function requiresMissing(plugin: string, missing: readonly string[]): LMFlowError {
  const [are, them] = missing.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return usageError(
    'LMFLOW_PLUGIN_REQUIRES_MISSING',
    `${plugin} requires ${listed(missing)}, which ${are} not loaded`,
    {
      hint: `Run npm install ${missing.join(' ')} and list ${them} in plugins, or use a preset that has ${them}.`,
    },
  );
}

/** LMFLOW_PLUGIN_CYCLE: plugins require each other in a circle. */
export function pluginCycle(names: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_PLUGIN_CYCLE',
    `plugins require each other in a circle: ${listed(names)}`,
    {
      hint: 'Remove one of the "requires" and resolve a token lazily instead.',
    },
  );
}

/** LMFLOW_PLUGIN_APPLY_FAILED: a plugin's apply threw. */
export function applyFailed(plugin: string, cause: unknown, hint?: string): LMFlowError {
  return usageError(
    'LMFLOW_PLUGIN_APPLY_FAILED',
    `${plugin}: apply() failed: ${messageOf(cause)}`,
    { cause, ...(hint === undefined ? {} : { hint }) },
  );
}

/** LMFLOW_PLUGIN_LEFT_OUT: "!name" takes out a plugin that nothing before it brings. */
export function leftOutMissing(name: string, from: string, loaded: readonly string[]): LMFlowError {
  const near = didYouMean(name, loaded.map(shortName));
  return usageError(
    'LMFLOW_PLUGIN_LEFT_OUT',
    `"!${name}", listed in ${from}, leaves out a plugin that no preset brings`,
    { hint: near === undefined ? 'Remove it from the list.' : `Write "!${near}".` },
  );
}

const shortName = (name: string): string => name.replace(/^(@lmflow\/|lmflow-)plugin-/, '');

/** LMFLOW_PLUGIN_INFERENCE_ONLY: options are set of a plugin that takes no part in training. */
export function inferenceOnly(plugin: string, key: string, origin: string): LMFlowError {
  const name = shortName(plugin);
  return usageError(
    'LMFLOW_PLUGIN_INFERENCE_ONLY',
    `${key} is set (${origin}), but ${plugin} is loaded for inference only and does not train`,
    { hint: `Add "${name}" to plugins or choose its preset to train with it, or remove ${key}.` },
  );
}
