// The table of every configuration key that is loaded: who declares it, in which section, under
// which flags. Names and descriptions only; values are in layers.ts and parse.ts.
import type { OptionsSpec, Plugin, Refusal } from '@lmflow/sdk';
import { optionConflict } from '../errors.ts';
import { coreOptions, coreOwner } from './core.ts';
import { describeFields, isOpen, type Field } from './describe.ts';
import { kebab } from './names.ts';

/** One declared key. `path` is `learningRate` or `lora.r`; `flag` has no dashes in front. */
export interface Key {
  readonly path: string;
  readonly field: Field;
  readonly group: Group;
  readonly flag: string;
}

/** What one owner declares: flat keys, or one section. */
export interface Group {
  readonly owner: string;
  readonly section: string | undefined;
  readonly spec: OptionsSpec;
  /** By the key's name inside the group. */
  readonly keys: ReadonlyMap<string, Key>;
  /** Takes keys that it does not name (a loose schema in a section). */
  readonly open: boolean;
}

/** What a name, in a config or as a flag, stands for. */
export type Meaning =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'section'; readonly group: Group }
  | { readonly kind: 'unsupported'; readonly name: string; readonly refusal: Refusal };

export interface KeyTable {
  readonly groups: readonly Group[];
  readonly byPath: ReadonlyMap<string, Key>;
  /** Top-level names of a configuration: flat keys, aliases, sections, refused names. */
  readonly names: ReadonlyMap<string, Meaning>;
  /** The same as flags (kebab case), with those of sections' keys. */
  readonly flags: ReadonlyMap<string, Meaning>;
}

/** Flags of `lmflow` itself, as node:util's parseArgs takes them; no key may have such a name. */
export const globalFlags = {
  config: { type: 'string' },
  preset: { type: 'string' },
  plugin: { type: 'string' },
  cwd: { type: 'string' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean' },
  color: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

/** Builds the table. Throws LMFLOW_OPTION_CONFLICT where two owners declare one name. */
export function buildKeyTable(plugins: readonly Plugin[]): KeyTable {
  const groups = [
    groupOf(coreOwner, coreOptions),
    ...plugins.flatMap((plugin) => (plugin.options ? [groupOf(plugin.name, plugin.options)] : [])),
  ];
  const names = new Map<string, Meaning>();
  const flags = new Map<string, Meaning>();
  const byPath = new Map<string, Key>();
  const owners = new Owners();
  for (const group of groups) {
    if (group.section !== undefined) {
      owners.claimSection(group.section, group.owner);
      names.set(group.section, { kind: 'section', group });
      flags.set(kebab(group.section), { kind: 'section', group });
    }
    for (const [name, key] of group.keys) {
      byPath.set(key.path, key);
      if (group.section === undefined) {
        owners.claimKey(name, group.owner);
        names.set(name, { kind: 'key', key });
      }
      owners.claimFlag(key.flag, group.owner);
      flags.set(key.flag, { kind: 'key', key });
    }
  }
  // Declared names win over other spellings, whatever the order of the plugins.
  for (const group of groups) addSpellings(group, { names, flags, isDeclared: owners.hasFlag });
  return { groups, byPath, names, flags };
}

/** Who declares which name. */
class Owners {
  readonly #keys = new Map<string, string>([
    ['presets', coreOwner],
    ['plugins', coreOwner],
  ]);
  readonly #flags = new Map<string, string>(
    Object.keys(globalFlags).map((flag) => [flag, coreOwner]),
  );

  claimKey(name: string, owner: string): void {
    claim(this.#keys, name, `the key "${name}"`, owner);
  }

  claimFlag(flag: string, owner: string): void {
    claim(this.#flags, flag, `the flag --${flag}`, owner);
  }

  claimSection(section: string, owner: string): void {
    claim(this.#keys, section, `the section "${section}"`, owner);
    this.claimFlag(kebab(section), owner);
  }

  readonly hasFlag = (flag: string): boolean => this.#flags.has(flag);
}

function claim(taken: Map<string, string>, name: string, what: string, owner: string): void {
  const other = taken.get(name);
  if (other !== undefined) throw optionConflict(what, other, owner);
  taken.set(name, owner);
}

interface Spellings {
  readonly names: Map<string, Meaning>;
  readonly flags: Map<string, Meaning>;
  readonly isDeclared: (flag: string) => boolean;
}

/** Short flags, aliases and refused names of one owner, where nothing else has the name. */
function addSpellings(group: Group, { names, flags, isDeclared }: Spellings): void {
  const weak = (name: string, meaning: Meaning): void => {
    if (group.section === undefined && !names.has(name)) names.set(name, meaning);
    for (const flag of flagsOf(group.section, name)) {
      if (!isDeclared(flag) && !flags.has(flag)) flags.set(flag, meaning);
    }
  };
  for (const [name, key] of group.keys) {
    for (const flag of flagsOf(group.section, name)) {
      if (!isDeclared(flag)) flags.set(flag, { kind: 'key', key });
    }
  }
  for (const [alias, name] of Object.entries(group.spec.aliases ?? {})) {
    const key = group.keys.get(name);
    if (key) weak(alias, { kind: 'key', key });
  }
  for (const [name, refusal] of Object.entries(group.spec.unsupported ?? {})) {
    const path = group.section === undefined ? name : `${group.section}.${name}`;
    weak(name, { kind: 'unsupported', name: path, refusal });
  }
}

/** The keys that one owner declares. */
export function groupOf(owner: string, spec: OptionsSpec): Group {
  const keys = new Map<string, Key>();
  const group: Group = {
    owner,
    section: spec.section,
    spec,
    keys,
    open: spec.section !== undefined && isOpen(spec.schema),
  };
  const fields = describeFields(spec.schema);
  for (const field of fields) {
    const [long, short] = flagsOf(spec.section, field.key) as [string, string?];
    // lora.loraAlpha is --lora-alpha, unless there is an `alpha` too
    const taken = fields.some(
      (other) => other !== field && flagsOf(spec.section, other.key)[0] === short,
    );
    keys.set(field.key, {
      path: pathOf(spec.section, field.key),
      field,
      group,
      flag: short === undefined || taken ? long : short,
    });
  }
  return group;
}

/** `r` in `lora` -> `lora.r`. */
export function pathOf(section: string | undefined, key: string): string {
  return section === undefined ? key : `${section}.${key}`;
}

// The long form, and where the key repeats its section's name the one without the repetition.
function flagsOf(section: string | undefined, key: string): string[] {
  if (section === undefined) return [kebab(key)];
  const prefix = kebab(section);
  const name = kebab(key);
  return name.startsWith(`${prefix}-`) ? [`${prefix}-${name}`, name] : [`${prefix}-${name}`];
}
