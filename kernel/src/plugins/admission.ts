// The one check that a plugin or preset passes before it may do anything: shape, common mistakes,
// sdk range.
import type { Plugin, Preset } from '@lmflow/sdk';
import satisfies from 'semver/functions/satisfies.js';
import valid from 'semver/functions/valid.js';
import validRange from 'semver/ranges/valid.js';
import { pluginInvalid, presetInvalid, sdkMismatch } from '../errors.ts';
import { kindOf, shown } from '../errors/shown.ts';
import { isPlain } from '../settings/layers.ts';

const bundlerHooks = [
  'resolveId',
  'transform',
  'renderChunk',
  'generateBundle',
  'buildStart',
  'buildEnd',
  'configResolved',
  'configureServer',
  'transformIndexHtml',
  'handleHotUpdate',
  'load',
];

/** Whether a value is meant as a preset: it lists plugins. */
export function isPreset(value: object): value is Preset {
  return 'plugins' in value && !('apply' in value);
}

/** A preset of the right shape. Throws LMFLOW_PRESET_INVALID. */
export function admitPreset(preset: Preset): Preset {
  const { name, plugins, config } = preset as {
    name?: unknown;
    plugins?: unknown;
    config?: unknown;
  };
  if (typeof name !== 'string' || name === '') {
    throw presetInvalid(shown(name), "its name must be a string, the package's name");
  }
  if (!Array.isArray(plugins)) {
    throw presetInvalid(name, `its plugins must be a list, not ${kindOf(plugins)}`);
  }
  if (config !== undefined && !isPlain(config)) {
    throw presetInvalid(name, `its config must be an object, not ${kindOf(config)}`);
  }
  const nested = isPlain(config) ? ['plugins', 'presets'].find((key) => key in config) : undefined;
  if (nested !== undefined) {
    throw presetInvalid(
      name,
      `its config has the key "${nested}", but both presets and plugins belong into its plugins`,
    );
  }
  return preset;
}

/**
 * A plugin of the right shape, made for this sdk. Throws LMFLOW_PLUGIN_INVALID,
 * LMFLOW_PLUGIN_SDK_MISMATCH.
 */
export function admitPlugin(value: unknown, where: string, sdkVersion: string): Plugin {
  refuseMistakes(value, where);
  const plugin = value as Partial<Record<keyof Plugin, unknown>>;
  const { name, version, sdk, requires, options, given, apply } = plugin;
  if (typeof name !== 'string' || name === '') {
    throw pluginInvalid(
      where,
      `a plugin's name must be a string (its npm package name), not ${kindOf(name)}`,
    );
  }
  const label = `plugin ${name}`;
  if (typeof apply !== 'function') {
    throw pluginInvalid(label, `its apply must be a function, not ${kindOf(apply)}`);
  }
  if (typeof version !== 'string' || valid(version) === null) {
    throw pluginInvalid(
      label,
      `its version must be a semver version such as "1.0.0", not ${shown(version)}`,
    );
  }
  if (typeof sdk !== 'string' || validRange(sdk) === null) {
    throw pluginInvalid(
      label,
      `its sdk must be a range of @lmflow/sdk versions such as "^1.0.0", not ${shown(sdk)}`,
    );
  }
  if (
    requires !== undefined &&
    !(Array.isArray(requires) && requires.every((item) => typeof item === 'string'))
  ) {
    throw pluginInvalid(
      label,
      `its requires must be a list of package names, not ${shown(requires)}`,
    );
  }
  if (given !== undefined && !isPlain(given)) {
    throw pluginInvalid(
      label,
      `its factory takes an object of options, not ${kindOf(given)}`,
      'Write, for example, lora({ r: 16 }).',
    );
  }
  if (options !== undefined) checkOptions(options, label);
  if (!satisfies(sdkVersion, sdk, { includePrerelease: true })) {
    throw sdkMismatch(name, version, sdk, sdkVersion);
  }
  return value as Plugin;
}

function checkOptions(options: unknown, label: string): void {
  const { section, schema, aliases, unsupported } = isPlain(options) ? options : {};
  if (
    section !== undefined &&
    (typeof section !== 'string' || !/^[a-z][A-Za-z0-9]*$/.test(section))
  ) {
    throw pluginInvalid(label, `its section must be a camelCase name, not ${shown(section)}`);
  }
  const inner = (schema as { _zod?: { def?: { type?: string } } } | undefined)?._zod?.def?.type;
  if (inner !== 'object') {
    throw pluginInvalid(
      label,
      'its options.schema is not a zod object (zod 4)',
      'Write options: { section: "mine", schema: z.object({ ... }) }, with zod 4.',
    );
  }
  const keys = Object.keys((schema as { shape: object }).shape);
  const notCamel = keys.find((key) => !/^[a-z][A-Za-z0-9]*$/.test(key));
  if (notCamel !== undefined) {
    throw pluginInvalid(label, `its option "${notCamel}" is not camelCase`);
  }
  const isText = (value: unknown): boolean => typeof value === 'string';
  for (const [what, record, fits, of] of [
    ['aliases', aliases, isText, 'strings'],
    ['unsupported', unsupported, isRefusal, 'reasons: strings, or { reason, accepts: [...] }'],
  ] as const) {
    if (record === undefined) continue;
    if (!isPlain(record) || !Object.values(record).every(fits)) {
      throw pluginInvalid(label, `its options.${what} must be an object of ${of}`);
    }
    const both = Object.keys(record).find((key) => keys.includes(key));
    if (both !== undefined) {
      throw pluginInvalid(label, `"${both}" is both an option and a key of options.${what}`);
    }
  }
  const lost = Object.entries((aliases ?? {}) as Record<string, string>).find(
    ([, key]) => !keys.includes(key),
  );
  if (lost) {
    throw pluginInvalid(
      label,
      `its alias "${lost[0]}" stands for "${lost[1]}", which is not one of its options`,
    );
  }
}

function isRefusal(value: unknown): boolean {
  if (typeof value === 'string') return true;
  if (!isPlain(value)) return false;
  const { reason, accepts, unless = [] } = value;
  return typeof reason === 'string' && Array.isArray(accepts) && Array.isArray(unless);
}

function refuseMistakes(value: unknown, where: string): void {
  if (typeof value !== 'object' || value === null) {
    throw pluginInvalid(where, `${kindOf(value)} (${shown(value)}) is not a plugin`);
  }
  if (typeof (value as { then?: unknown }).then === 'function') {
    throw pluginInvalid(
      where,
      'a promise is not a plugin',
      'Await it first: (await import("...")).default(), or list the package\'s name.',
    );
  }
  if ('default' in value && !('apply' in value)) {
    throw pluginInvalid(
      where,
      'this is a whole module, not a plugin',
      'Import its default export: import lora from "@lmflow/plugin-lora".',
    );
  }
  const name = (value as { name?: unknown }).name;
  const label = typeof name === 'string' ? `"${name}"` : 'this';
  if (bundlerHooks.some((hook) => hook in value)) {
    throw pluginInvalid(
      where,
      `${label} is a plugin of Rollup or Vite, not of LMFlow`,
      'Put it into rollup.config or vite.config.',
    );
  }
  const apply = (value as { apply?: unknown }).apply;
  if (typeof apply === 'function' && !('sdk' in value) && !('version' in value)) {
    throw pluginInvalid(
      where,
      `${label} has apply() but neither version nor sdk, like a plugin of webpack`,
    );
  }
}

/** Whether a function is a class, which is neither a factory nor a plugin. */
export function isClass(value: (...args: never[]) => unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}
