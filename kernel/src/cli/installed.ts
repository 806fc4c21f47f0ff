// Plugins and presets that are installed where the project or lmflow itself can find them, with the
// commands that their package.json lists: for help, and for commands that nothing loaded has. None
// of them is imported.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ownDirectory, type ListKind } from '../plugins/packages.ts';

/** An installed plugin or preset. */
export interface InstalledPackage {
  readonly kind: ListKind;
  /** Short where it is one of ours: `lora`. */
  readonly name: string;
  /** Name on npm. */
  readonly packageName: string;
  readonly description: string;
  /**
   * Commands that its package.json says it brings, with their one line where it has it: `"lmflow":
   * { "commands": { "publish": "Uploads a model." } }`, or a list of names.
   */
  readonly commands: ReadonlyMap<string, string>;
}

/** Packages named as plugins and presets are, in node_modules above `cwd` and above lmflow. */
export function installedPackages(cwd: string): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  for (const start of [cwd, ownDirectory]) {
    for (let folder = start; ; folder = dirname(folder)) {
      const modules = join(folder, 'node_modules');
      for (const kind of ['preset', 'plugin'] as const) {
        for (const path of [
          ...matching(join(modules, '@lmflow'), `${kind}-`),
          ...matching(modules, `lmflow-${kind}-`),
        ]) {
          const installed = read(path, kind);
          const key = `${kind} ${installed?.name}`;
          if (installed && !found.has(key)) found.set(key, installed);
        }
      }
      if (dirname(folder) === folder) break;
    }
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** The package to load for a command that nothing loaded has: a preset before a plugin. */
export function bringing(
  command: string,
  packages: readonly InstalledPackage[],
): InstalledPackage | undefined {
  const having = packages.filter(({ commands }) => commands.has(command));
  return having.find(({ kind }) => kind === 'preset') ?? having[0];
}

/** Every command of the packages once, with its one line. */
export function commandsOf(packages: readonly InstalledPackage[]): [string, string][] {
  const lines = new Map<string, string>();
  for (const { commands } of packages) {
    for (const [name, summary] of commands) {
      if (summary !== '' || !lines.has(name)) lines.set(name, summary);
    }
  }
  return [...lines].sort(([a], [b]) => a.localeCompare(b));
}

function matching(folder: string, prefix: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(prefix))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function read(folder: string, kind: ListKind): InstalledPackage | undefined {
  try {
    const {
      name,
      description = '',
      lmflow,
    } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      name: string;
      description?: string;
      lmflow?: { commands?: unknown };
    };
    const short = name.replace(new RegExp(`^(@lmflow/|lmflow-)${kind}-`), '');
    return {
      kind,
      name: short,
      packageName: name,
      description,
      commands: readCommands(lmflow?.commands),
    };
  } catch {
    return undefined;
  }
}

function readCommands(listed: unknown): Map<string, string> {
  if (Array.isArray(listed)) {
    return new Map(listed.filter((name) => typeof name === 'string').map((name) => [name, '']));
  }
  const entries = typeof listed === 'object' && listed !== null ? Object.entries(listed) : [];
  return new Map(entries.map(([name, line]) => [name, typeof line === 'string' ? line : '']));
}
