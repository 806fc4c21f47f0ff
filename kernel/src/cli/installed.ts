// Presets that are installed where the project or lmflow itself can find them: for help, and for
// commands that nothing loaded has.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ownDirectory } from '../plugins/packages.ts';

export interface InstalledPreset {
  /** Short where it is one of ours: `lora`. */
  readonly name: string;
  readonly description: string;
  /** Commands that its package.json says it brings (`"lmflow": { "commands": [...] }`). */
  readonly commands: readonly string[];
}

/**
 * Packages named `@lmflow/preset-*` or `lmflow-preset-*` in node_modules above `cwd` and above
 * lmflow.
 */
export function installedPresets(cwd: string): InstalledPreset[] {
  const found = new Map<string, InstalledPreset>();
  for (const start of [cwd, ownDirectory]) {
    for (let folder = start; ; folder = dirname(folder)) {
      const modules = join(folder, 'node_modules');
      for (const path of [
        ...matching(join(modules, '@lmflow'), 'preset-'),
        ...matching(modules, 'lmflow-preset-'),
      ]) {
        const preset = read(path);
        if (preset && !found.has(preset.name)) found.set(preset.name, preset);
      }
      if (dirname(folder) === folder) break;
    }
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
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

function read(folder: string): InstalledPreset | undefined {
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
    const commands = Array.isArray(lmflow?.commands)
      ? lmflow.commands.filter((command) => typeof command === 'string')
      : [];
    return { name: name.replace(/^(@lmflow\/|lmflow-)preset-/, ''), description, commands };
  } catch {
    return undefined;
  }
}
