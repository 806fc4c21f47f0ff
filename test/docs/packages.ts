// The packages whose README has tables of options: every plugin, and the kernel for its own keys.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import { coreOptions } from '../../kernel/src/settings/core.ts';
import { optionsTables } from './options-table.ts';

const root = new URL('../../', import.meta.url);

/** A README and the tables that it shall have. */
export interface Documented {
  readonly folder: string;
  readonly readme: string;
  readonly tables: string;
}

/** All of them; loads every plugin. */
export async function documentedPackages(): Promise<Documented[]> {
  const plugins = await Promise.all(
    readdirSync(new URL('plugins/', root))
      .filter((name) => existsSync(new URL(`plugins/${name}/src/index.ts`, root)))
      .map(async (name) => {
        const entry = new URL(`plugins/${name}/src/index.ts`, root);
        const { default: factory } = (await import(entry.href)) as { default: () => Plugin };
        return { folder: `plugins/${name}`, plugin: factory() };
      }),
  );
  const { kernel } = await createTestKernel({ plugins: plugins.map(({ plugin }) => plugin) });
  try {
    const commands = [...kernel.commands.values()];
    return [
      documented('kernel', optionsTables(coreOptions, [])),
      ...plugins.map(({ folder, plugin: { name, options } }) => {
        const own = commands.filter(({ plugin }) => plugin === name).map(({ spec }) => spec);
        return documented(folder, optionsTables(options, own));
      }),
    ];
  } finally {
    await kernel.close();
  }
}

function documented(folder: string, tables: string): Documented {
  const readme = fileURLToPath(new URL(`${folder}/README.md`, root));
  return { folder, readme, tables };
}

/** The text of a package's README. */
export function readmeOf({ readme }: Documented): string {
  return readFileSync(readme, 'utf8');
}
