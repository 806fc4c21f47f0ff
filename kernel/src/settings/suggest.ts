// "Did you mean" for keys and flags: spelling, camelCase, a section left out, a plugin not loaded.
import { didYouMean } from '@lmflow/sdk';
import { candidates, isInstalled } from '../plugins/packages.ts';
import { camel, kebab } from './names.ts';
import type { Group, KeyTable } from './keys.ts';

/** A hint for an unknown key, at the top level or inside a section. */
export function suggestKey(name: string, table: KeyTable, within?: Group): string | undefined {
  const known = within
    ? [...within.keys.keys(), ...Object.keys(within.spec.aliases ?? {})]
    : ['presets', 'plugins', ...namesOf(table)];
  const spelled = camel(name);
  if (spelled !== name && known.includes(spelled)) return `Write "${spelled}": keys are camelCase.`;
  // the key of a section, written flat (r, loraR), or a flat key inside a section
  const flag = table.flags.get(kebab(name));
  const section = table.groups.find(
    (group) => group.section !== undefined && group !== within && group.keys.has(spelled),
  )?.section;
  if (!within && flag?.kind === 'key' && flag.key.group.section !== undefined) {
    return inSection(flag.key.group.section, flag.key.field.key);
  }
  if (within && table.names.get(spelled)?.kind === 'key') {
    const owner = within.section ?? within.owner;
    return `Write "${spelled}" at the top level of the configuration, not inside ${owner}.`;
  }
  // the section of a plugin that is installed, but not loaded
  const plugin = within ? undefined : unloadedPlugin(kebab(name), table);
  if (plugin !== undefined) {
    return `Load the installed plugin "${plugin}" with plugins: ['${plugin}'].`;
  }
  const near = didYouMean(spelled, known);
  if (near !== undefined) return `Did you mean "${near}"?`;
  return section === undefined ? undefined : inSection(section, spelled);
}

// The plugin whose section has this name, where it is installed and no loaded plugin has the name.
function unloadedPlugin(name: string, { groups }: KeyTable): string | undefined {
  const loaded = groups.some(
    ({ owner, section }) =>
      candidates(name, 'plugin').includes(owner) ||
      (section !== undefined && kebab(section) === name),
  );
  return !loaded && isInstalled(name, 'plugin', process.cwd()) ? name : undefined;
}

function inSection(section: string, key: string): string {
  return `Write "${key}" into its section: ${section}: { ${key}: ... }.`;
}

function namesOf(table: KeyTable): string[] {
  return [...table.names]
    .filter(([, meaning]) => meaning.kind !== 'unsupported')
    .map(([name]) => name);
}

/** A hint for an unknown flag. `own` are the command's flags, without dashes. */
export function suggestFlag(
  flag: string,
  table: KeyTable,
  own: readonly string[],
): string | undefined {
  const flags = [...table.flags]
    .filter(([, meaning]) => meaning.kind !== 'unsupported')
    .map(([name]) => name);
  // the section of a plugin that is not loaded, before its key: qlora-bits,
  // position-interpolation-factor, no-qlora
  const words = flag.replace(/^no-/, '').split('-');
  const plugin = words
    .map((_, index) => unloadedPlugin(words.slice(0, index + 1).join('-'), table))
    .findLast((name) => name !== undefined);
  if (plugin !== undefined) {
    return `Load the installed plugin "${plugin}" with --plugin ${plugin}, or plugins: ['${plugin}'].`;
  }
  // --r alone: the key of a section
  const inner = table.groups.find(
    (group) => group.section !== undefined && group.keys.has(camel(flag)),
  );
  const near = inner?.keys.get(camel(flag))?.flag ?? didYouMean(flag, [...own, ...flags]);
  return near === undefined ? undefined : `Did you mean --${near}?`;
}
