// Plugins and presets by name: npm packages (short names too), or files of the project.
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@lmflow/sdk';
import { pluginInvalid, pluginLoadFailed, pluginNotFound } from '../errors.ts';
import { importFile, packageFolder, resolvePackage } from '../modules.ts';

/** The list that a name is in; packages of this kind are tried first. */
export type ListKind = 'preset' | 'plugin';

/** Folder of this package, from which its dependencies are resolved. */
export const ownDirectory = dirname(fileURLToPath(import.meta.url));

/**
 * Packages that a name may mean, in the order they are tried: `lora` -> `@lmflow/preset-lora`,
 * `@lmflow/plugin-lora`, ...
 */
export function candidates(name: string, kind: ListKind): string[] {
  if (name.startsWith('@') || /^lmflow-(plugin|preset)-/.test(name)) return [name];
  const kinds: ListKind[] = kind === 'preset' ? ['preset', 'plugin'] : ['plugin', 'preset'];
  return [
    ...kinds.map((each) => `@lmflow/${each}-${name}`),
    ...kinds.map((each) => `lmflow-${each}-${name}`),
    name,
  ];
}

/**
 * The default export behind a name in `presets` or `plugins`, looked up from the project's folder
 * first, then from lmflow's own. Throws LMFLOW_PLUGIN_NOT_FOUND, LMFLOW_PLUGIN_LOAD_FAILED,
 * LMFLOW_PLUGIN_INVALID.
 */
export async function importNamed(
  name: string,
  kind: ListKind,
  directory: string,
  from: string,
): Promise<unknown> {
  const file = isPath(name) ? resolve(directory, name) : undefined;
  if (file !== undefined) {
    if (!existsSync(file)) {
      throw pluginInvalid(
        `"${name}", listed in ${from}`,
        `the file ${file} does not exist`,
        'Write the path relative to the config file.',
      );
    }
    return await defaultExport(name, file);
  }
  const tried = candidates(name, kind);
  for (const place of [directory, ownDirectory]) {
    for (const candidate of tried) {
      const entry = await resolveEntry(candidate, place);
      if (entry !== undefined) return await defaultExport(candidate, entry);
    }
  }
  throw pluginNotFound(name, tried, from, tried[0]!);
}

/** Whether one of the packages that a name may mean is installed. */
export function isInstalled(name: string, kind: ListKind, directory: string): boolean {
  return candidates(name, kind)
    .slice(0, -1)
    .some((candidate) =>
      [directory, ownDirectory].some((place) => packageFolder(candidate, place) !== undefined),
    );
}

function isPath(name: string): boolean {
  return name.startsWith('./') || name.startsWith('../') || isAbsolute(name);
}

async function resolveEntry(name: string, directory: string): Promise<string | undefined> {
  try {
    return await resolvePackage(name, directory);
  } catch (error) {
    throw pluginLoadFailed(
      name,
      new Error(`it is installed, but has no entry to import (is it built?): ${messageOf(error)}`, {
        cause: error,
      }),
    );
  }
}

async function defaultExport(name: string, file: string): Promise<unknown> {
  let module: Record<string, unknown>;
  try {
    module = await importFile(file);
  } catch (error) {
    throw pluginLoadFailed(name, error);
  }
  if (module['default'] === undefined) {
    const exported = Object.keys(module).filter((key) => key !== 'default');
    throw pluginInvalid(
      `"${name}"`,
      `it has no default export (it exports ${exported.join(', ') || 'nothing'})`,
      'Export the factory as default: export default definePlugin({ ... }).',
    );
  }
  return module['default'];
}
