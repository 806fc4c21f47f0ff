// Finding and reading the config file, with cosmiconfig. What its values mean is the business of settings/.
import { existsSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { UserConfig } from '@lmflow/sdk';
import { configLoadFailed, configNotAnObject, configNotFound, configWithoutDefault } from './errors.ts';
import { importFile } from './modules.ts';
import { isPlain } from './settings/layers.ts';

/** A configuration and where it is from. */
export interface FoundConfig {
  readonly config: UserConfig;
  /** Absolute path of the file; undefined where an object was given, or nothing was found. */
  readonly file: string | undefined;
  /** For messages: the file relative to the working directory. */
  readonly origin: string;
  /** Folder that names and paths in it are relative to. */
  readonly directory: string;
}

/** File names that are looked for in a folder, the first wins. */
export const configNames = ['ts', 'mts', 'js', 'mjs', 'json'].map((extension) => `lmflow.config.${extension}`).concat('.lmflowrc');

/** Finds a config file in `cwd` or above it, up to the project's root; `configFile` names one instead. */
export async function findConfig(cwd: string, configFile?: string): Promise<FoundConfig | undefined> {
  const { cosmiconfig } = await import('cosmiconfig');
  const load = async (path: string): Promise<unknown> => (await importFile(path))['default'];
  const explorer = cosmiconfig('lmflow', {
    searchPlaces: configNames,
    searchStrategy: 'project',
    loaders: { '.ts': load, '.mts': load, '.js': load, '.mjs': load },
    cache: false,
    ignoreEmptySearchPlaces: false,
  });
  const named = configFile === undefined ? undefined : resolve(cwd, configFile);
  if (named !== undefined && !existsSync(named)) throw configNotFound(configFile!);
  let found: Awaited<ReturnType<typeof explorer.search>>;
  try {
    found = named === undefined ? await explorer.search(cwd) : await explorer.load(named);
  } catch (error) {
    throw configLoadFailed(named === undefined ? placeOf(error, cwd) : configFile!, error);
  }
  if (!found) return undefined;
  const origin = relative(cwd, found.filepath) || found.filepath;
  if (found.isEmpty === true || found.config === undefined) throw configWithoutDefault(origin);
  return { config: await settle(found.config, origin), file: found.filepath, origin, directory: dirname(found.filepath) };
}

/** The object behind what a config file exports or createKernel is given: an object, a promise, or a function. */
export async function settle(exported: unknown, origin: string): Promise<UserConfig> {
  let value = exported;
  try {
    if (typeof value === 'function') value = (value as () => unknown)();
    value = await value;
  } catch (error) {
    throw configLoadFailed(origin, error);
  }
  if (!isPlain(value)) throw configNotAnObject(origin, value);
  return value;
}

// cosmiconfig puts the path on errors of its loaders.
function placeOf(error: unknown, cwd: string): string {
  const path = (error as { filepath?: unknown }).filepath;
  return typeof path === 'string' ? relative(cwd, path) || path : 'the configuration';
}
