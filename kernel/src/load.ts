// From createKernel's arguments to what is loaded: the config file, presets, plugins in order, and
// layers of configuration. Nothing is applied or parsed yet.
import { resolve } from 'node:path';
import type { Pluggable, Plugin, Preset, UserConfigExport } from '@lmflow/sdk';
import { configObject, findConfig, type FoundConfig } from './config-file.ts';
import { listExpected } from './errors.ts';
import { orderPlugins } from './plugins/order.ts';
import { isInstalled } from './plugins/packages.ts';
import { PluginList } from './plugins/pluggable.ts';
import type { Layer } from './settings/layers.ts';

/** Where to look and what to load beside the configuration. */
export interface LoadOptions {
  /**
   * Folder in which the search for a config and for packages starts (default: the working
   * directory). Paths in values are always relative to the working directory.
   */
  readonly cwd?: string;
  /** Config file to read instead of looking for one. */
  readonly configFile?: string;
  /** Presets added to those of the configuration. */
  readonly preset?: Pluggable | readonly Pluggable[];
  /** Plugins added to those of the configuration. */
  readonly plugin?: Pluggable | readonly Pluggable[];
  /**
   * Preset that is loaded where neither configuration nor options name anything to load, if it is
   * installed.
   */
  readonly fallbackPreset?: string;
}

/** What was loaded. */
export interface Loaded {
  readonly cwd: string;
  /** What was listed, in the configuration and beside it. */
  readonly listed: { readonly presets: readonly unknown[]; readonly plugins: readonly unknown[] };
  /** Where names and files in these lists are looked up. */
  readonly directory: string;
  readonly plugins: readonly Plugin[];
  /** Names of plugins that take no part in training. */
  readonly inferenceOnly: ReadonlySet<string>;
  readonly presets: readonly Preset[];
  /** The weakest first, without flags. */
  readonly layers: readonly Layer[];
  readonly configFile: string | undefined;
}

/** Loads configuration and plugins. */
export async function load(
  config: UserConfigExport | undefined,
  options: LoadOptions,
): Promise<Loaded> {
  const cwd = resolve(options.cwd ?? process.cwd());
  const found: FoundConfig =
    config === undefined
      ? ((await findConfig(cwd, options.configFile)) ?? {
          config: {},
          file: undefined,
          origin: 'no config file',
          directory: cwd,
        })
      : {
          config: await configObject(config, 'createKernel()'),
          file: undefined,
          origin: 'createKernel()',
          directory: cwd,
        };
  const { presets, plugins, ...values } = found.config;
  const list = new PluginList(found.directory);

  const listedPresets = asList(presets, 'presets', found.origin);
  const listedPlugins = asList(plugins, 'plugins', found.origin);
  const addedPresets = pluggables(options.preset, cwd);
  const addedPlugins = pluggables(options.plugin, cwd);
  await list.add(listedPresets, 'preset', found.origin);
  await list.add(addedPresets, 'preset', '--preset');
  const namesNothing = [listedPresets, listedPlugins, addedPresets, addedPlugins].every(
    (items) => items.length === 0,
  );
  const { fallbackPreset } = options;
  if (
    namesNothing &&
    fallbackPreset !== undefined &&
    isInstalled(fallbackPreset, 'preset', found.directory)
  ) {
    await list.add([fallbackPreset], 'preset', 'lmflow');
  }
  list.addValues({ origin: found.origin, values });
  await list.add(listedPlugins, 'plugin', found.origin);
  await list.add(addedPlugins, 'plugin', '--plugin');
  return {
    cwd,
    listed: {
      presets: [...listedPresets, ...addedPresets],
      plugins: [...listedPlugins, ...addedPlugins],
    },
    directory: found.directory,
    plugins: orderPlugins(list.plugins),
    inferenceOnly: list.inferenceOnly,
    presets: list.presets,
    layers: list.layers,
    configFile: found.file,
  };
}

function asList(value: unknown, key: string, origin: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw listExpected(origin, key, value);
  return value;
}

// A path given here is relative to the working directory, one in a config file to that file.
function pluggables(
  value: Pluggable | readonly Pluggable[] | undefined,
  cwd: string,
): readonly Pluggable[] {
  if (value === undefined) return [];
  const items = Array.isArray(value) ? (value as readonly Pluggable[]) : [value as Pluggable];
  return items.map((item) =>
    typeof item === 'string' && /^\.\.?\//.test(item) ? resolve(cwd, item) : item,
  );
}
