// Importing a user's modules: packages by name from the user's project first, and TypeScript files
// without a build.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { checkRegular } from '@lmflow/sdk/files';
import type { Jiti } from 'jiti';

// Conditions that this process was started with (--conditions=lmflow-source while developing lmflow
// itself): resolution here must agree with node's.
const processConditions = [
  ...process.execArgv,
  ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/),
].flatMap((argument, index, all) => {
  const match = /^(?:-C|--conditions)(?:=(.+))?$/.exec(argument);
  return match ? [match[1] ?? all[index + 1] ?? ''] : [];
});
// Under a TypeScript loader (tsx) node itself imports .ts files, and the workspace's packages are
// sources.
const fromSources = processConditions.includes('lmflow-source');

async function jitiAt(file: string): Promise<Jiti> {
  const { createJiti } = await import('jiti');
  // a kernel reads what is on disk now: a second kernel of the process may see a changed config
  return createJiti(pathToFileURL(file).href, { moduleCache: false, interopDefault: false });
}

/**
 * Everything a module exports. TypeScript, also in relative imports without extension, is compiled
 * in memory.
 */
export async function importFile(file: string): Promise<Record<string, unknown>> {
  if (existsSync(file)) checkRegular(file);
  if (!/\.[cm]?ts$/.test(file) || fromSources) {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  }
  return await compileAndImport(file);
}

/**
 * The same through jiti, whatever loader this process has: local .ts files are compiled, packages
 * are imported by node.
 */
export async function compileAndImport(file: string): Promise<Record<string, unknown>> {
  const jiti = await jitiAt(file);
  return await jiti.import<Record<string, unknown>>(file);
}

/**
 * Path of a package's entry as `directory` sees it; undefined where it is not installed. Throws
 * where it is, but has no entry.
 */
export async function resolvePackage(name: string, directory: string): Promise<string | undefined> {
  const folder = packageFolder(name, directory);
  if (folder === undefined) return undefined;
  const parent = join(directory, 'noop.js');
  const url = (await jitiAt(parent)).esmResolve(name, {
    parentURL: pathToFileURL(parent),
    conditions: ['node', 'import', ...processConditions],
  });
  return fileURLToPath(url);
}

/** The folder of an installed package, looking in node_modules upward from `directory`. */
export function packageFolder(name: string, directory: string): string | undefined {
  for (let folder = directory; ;) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    const parent = join(folder, '..');
    if (parent === folder) return undefined;
    folder = parent;
  }
}
