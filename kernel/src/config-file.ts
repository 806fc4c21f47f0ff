// Finding and reading the config file, with cosmiconfig. What its values mean is the business of
// settings/.
import { existsSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { messageOf, type LMFlowError, type UserConfig } from '@lmflow/sdk';
import { kindOf } from '@lmflow/sdk/files';
import {
  configFolder,
  configLoadFailed,
  configNotAnObject,
  configNotFound,
  configWithoutDefault,
  packageWithoutConfig,
} from './errors.ts';
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

const extensions = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'json', 'yaml', 'yml'] as const;
const withExtensions = (name: string): string[] =>
  extensions.map((extension) => `${name}.${extension}`);
/**
 * File names that are looked for in a folder, the first wins; after all of them the key `lmflow` of
 * package.json.
 */
export const configNames = [
  ...withExtensions('lmflow.config'),
  '.lmflowrc',
  ...withExtensions('.lmflowrc'),
];

const searchPlaces = [...configNames, 'package.json'];

/**
 * Finds a config file in `cwd` or above it, up to the project's root; `configFile` names one
 * instead.
 */
export async function findConfig(
  cwd: string,
  configFile?: string,
): Promise<FoundConfig | undefined> {
  const { cosmiconfig } = await import('cosmiconfig');
  const load = async (path: string): Promise<unknown> => (await importFile(path))['default'];
  const explorer = cosmiconfig('lmflow', {
    searchPlaces,
    searchStrategy: 'project',
    loaders: { '.ts': load, '.mts': load, '.cts': load, '.js': load, '.mjs': load, '.cjs': load },
    cache: false,
    ignoreEmptySearchPlaces: false,
  });
  const named = configFile === undefined ? undefined : resolve(cwd, configFile);
  const stats = named === undefined ? undefined : statSync(named, { throwIfNoEntry: false });
  if (named !== undefined && stats === undefined) throw configNotFound(configFile!);
  if (stats?.isDirectory() === true) {
    throw configFolder(
      configFile!,
      configNames.find((name) => statSync(join(named!, name), { throwIfNoEntry: false })),
    );
  }
  if (stats?.isFile() === false) throw notRegular(configFile!, stats);
  if (named === undefined) checkPlaces(cwd);
  let found: Awaited<ReturnType<typeof explorer.search>>;
  try {
    found = named === undefined ? await explorer.search(cwd) : await explorer.load(named);
  } catch (error) {
    throw configLoadFailed(
      named === undefined ? placeOf(error, cwd) : configFile!,
      error,
      withoutRepetition(error),
    );
  }
  if (!found) {
    if (named === undefined) return undefined;
    throw basename(named) === 'package.json'
      ? packageWithoutConfig(configFile!)
      : configWithoutDefault(configFile!);
  }
  const origin = relative(cwd, found.filepath) || found.filepath;
  if (found.isEmpty === true || found.config === undefined) throw configWithoutDefault(origin);
  // editors' pointer to a JSON schema, in files that are data
  if (isPlain(found.config) && !/\.[cm]?[jt]s$/.test(found.filepath)) {
    delete found.config['$schema'];
  }
  return {
    config: await configObject(found.config, origin),
    file: found.filepath,
    origin,
    directory: dirname(found.filepath),
  };
}

const notRegular = (file: string, stats: Stats): LMFlowError =>
  configLoadFailed(file, new Error(`it is ${kindOf(stats)}, not a regular file`));

// cosmiconfig opens what it finds, and opening a named pipe waits. This looks where it looks, in its
// order, up to the file that it takes or the project's root.
function checkPlaces(cwd: string): void {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    for (const name of searchPlaces) {
      const stats = statsOf(join(folder, name));
      if (stats === undefined || stats.isDirectory()) continue;
      if (!stats.isFile()) throw notRegular(relative(cwd, join(folder, name)), stats);
      return;
    }
    if (folder === dirname(folder) || existsSync(join(folder, 'package.yaml'))) return;
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // what cannot be looked at, cosmiconfig cannot open either
  }
}

/**
 * The configuration that a config file exports or createKernel takes: an object, a promise of one, or
 * a function that returns either.
 */
export async function configObject(exported: unknown, origin: string): Promise<UserConfig> {
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

// cosmiconfig's JSON errors have their code frame twice, before and after the reason, because an
// accessor adds it to every message, even to one that already has it.
function withoutRepetition(error: unknown): string {
  const message = messageOf(error);
  const { codeFrame } = error as { codeFrame?: unknown };
  const [, reason, after] = typeof codeFrame === 'string' ? message.split(codeFrame) : [];
  return reason === undefined || after === undefined
    ? message
    : `${reason.trim()}\n\n${String(codeFrame)}`;
}
