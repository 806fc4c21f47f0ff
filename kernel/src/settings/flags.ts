// The command line of a command, after the global flags are taken out: flags of configuration keys,
// the command's own, arguments. Not with parseArgs: whether a flag takes the next word follows from
// the schema of its key and from the word.
import type { CommandSpec, Refusal } from '@lmflow/sdk';
import {
  argumentUnexpected,
  flagInvalid,
  flagUnknown,
  optionConflict,
  optionUnsupported,
} from '../errors.ts';
import { describeFields, type JsonSchema } from './describe.ts';
import type { Group, KeyTable, Meaning } from './keys.ts';
import { readSection, type Setting, type Settings } from './layers.ts';
import { camel, kebab } from './names.ts';
import { isAccepted, reasonOf } from './refusals.ts';
import { suggestFlag } from './suggest.ts';
import { fitsAfterBoolean, takesList, takesNoValue, valueOf } from './text.ts';

/** What was typed. */
export interface TypedFlags {
  /** Configuration by path, origin `--flag`. */
  readonly settings: Settings;
  /** The command's own options, raw. */
  readonly options: Record<string, unknown>;
  readonly positionals: readonly string[];
}

type Target =
  | { readonly kind: 'own'; readonly name: string; readonly schema: JsonSchema }
  | { readonly kind: 'key'; readonly name: string; readonly schema: JsonSchema }
  | {
      /** A refused name, of which some values are accepted. */
      readonly kind: 'refused';
      readonly name: string;
      readonly refusal: Refusal;
      readonly schema: JsonSchema;
    }
  | {
      readonly kind: 'section';
      readonly name: string;
      readonly group: Group;
      readonly schema: JsonSchema;
    };

/** What a flag means; `negated`: it was written as --no-... */
interface Meant {
  readonly target: Target;
  readonly name: string;
  readonly negated: boolean;
}

/** Of refused names: alone, or before any value. */
const anySchema: JsonSchema = { anyOf: [{ type: 'boolean' }, {}] };
const sectionSchema: JsonSchema = { anyOf: [{ type: 'boolean' }, { type: 'object' }] };

/**
 * A command's own flags, kebab name -> key and type. Throws LMFLOW_OPTION_CONFLICT where the
 * configuration has that flag.
 */
export function ownFlags(
  spec: CommandSpec | undefined,
  table: KeyTable,
  owner: string,
): Map<string, { readonly key: string; readonly schema: JsonSchema }> {
  const own = new Map<string, { key: string; schema: JsonSchema }>();
  for (const field of spec?.options ? describeFields(spec.options) : []) {
    const flag = kebab(field.key);
    const meaning = table.flags.get(flag);
    if (meaning?.kind === 'key' && meaning.key.flag === flag) {
      throw optionConflict(
        `the flag --${flag}`,
        meaning.key.group.owner,
        `${owner} (command ${spec?.name})`,
      );
    }
    own.set(flag, { key: field.key, schema: field.schema });
  }
  return own;
}

/** A flag with its values as typed. */
interface TypedFlag {
  readonly target: Target;
  /** As typed. */
  readonly flag: string;
  /** Without dashes, in kebab case. */
  readonly name: string;
  readonly texts: (string | boolean)[];
}

/** Reads the words after the command's name. */
export function readFlags(
  words: readonly string[],
  table: KeyTable,
  spec: CommandSpec | undefined,
  owner = 'lmflow',
): TypedFlags {
  const own = ownFlags(spec, table, owner);
  const command = spec?.name ?? '';
  const positionals: string[] = [];
  const flags = new Map<string, TypedFlag>();
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === '--') {
      positionals.push(...words.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || /^-\d/.test(word) || word === '-') {
      positionals.push(word);
      continue;
    }
    if (!word.startsWith('--')) {
      const hint = suggestFlag(word.slice(1), table, [...own.keys()]);
      throw flagUnknown(word, command, hint ?? `Write two dashes: -${word}.`);
    }
    const equals = word.indexOf('=');
    const written = equals < 0 ? word : word.slice(0, equals);
    const inline = equals < 0 ? undefined : word.slice(equals + 1);
    const meant = meaningOf({ table, own, spec, owner, written });
    const value = inline ?? impliedValue(meant, words[index + 1], written);
    if (meant.negated && inline !== undefined) throw flagInvalid(written, 'takes no value');
    if (inline === undefined && typeof value === 'string') index += 1;
    collect(flags, meant, written, value);
  }
  if (spec !== undefined && spec.usage === undefined && positionals.length > 0) {
    throw argumentUnexpected(positionals[0]!, command);
  }
  return { ...settingsOf([...flags.values()], table), positionals };
}

/** The value of a flag that was typed without `=`: true or false, or the next word. */
function impliedValue(
  { target, negated }: Meant,
  next: string | undefined,
  written: string,
): string | boolean {
  if (negated) {
    if (takesNoValue(target.schema)) return false;
    throw flagInvalid(written, 'is not possible: its key does not take true or false');
  }
  if (!takesNoValue(target.schema)) {
    if (next === undefined || looksLikeFlag(next)) throw flagInvalid(written, 'needs a value');
    return next;
  }
  const fits =
    next !== undefined &&
    !looksLikeFlag(next) &&
    fitsAfterBoolean(next, target.schema) &&
    !(target.kind === 'section' && !/^(\{|true$|false$)/.test(next));
  return fits ? next : true;
}

/**
 * Keeps a flag's value: a repeated flag of a list collects, any other takes its last value, so that
 * more flags can be appended to the line of a script.
 */
function collect(
  flags: Map<string, TypedFlag>,
  { target, name }: Meant,
  flag: string,
  text: string | boolean,
): void {
  const key = `${target.kind}:${target.name}`;
  const before = flags.get(key);
  if (before && before.name !== name) {
    throw flagInvalid(flag, `is the same as ${before.flag}`, 'Keep one of them.');
  }
  if (before && takesList(target.schema)) before.texts.push(text);
  else flags.set(key, { target, flag, name, texts: [text] });
}

function settingsOf(
  flags: readonly TypedFlag[],
  table: KeyTable,
): Pick<TypedFlags, 'settings' | 'options'> {
  const settings: Settings = new Map();
  const options: Record<string, unknown> = {};
  const set = (path: string, setting: Setting): void => {
    const other = settings.get(path);
    if (other) {
      throw flagInvalid(
        setting.origin,
        `sets ${path}, which ${other.origin} sets too`,
        'Keep one of them.',
      );
    }
    settings.set(path, setting);
  };
  for (const { target, flag, texts } of flags) {
    const value =
      typeof texts[0] === 'boolean' ? texts[0] : valueOf(texts.map(String), target.schema);
    if (target.kind === 'own') options[target.name] = value;
    else if (target.kind === 'key') set(target.name, { value, origin: flag });
    else if (target.kind === 'refused') {
      if (!isAccepted(target.refusal, value, table)) {
        throw optionUnsupported(target.name, flag, reasonOf(target.refusal));
      }
    } else {
      const inside = flags.find(
        (other) => other.target.kind === 'key' && other.target.name.startsWith(`${target.name}.`),
      );
      if (value === false && inside) {
        throw flagInvalid(
          inside.flag,
          `sets a part of what ${flag} turns off`,
          'Keep one of them.',
        );
      }
      for (const [path, setting] of readSection(target.group, value, flag, table)) {
        set(path, setting);
      }
    }
  }
  return { settings, options };
}

function looksLikeFlag(word: string): boolean {
  return word.startsWith('-') && word !== '-' && !/^-[\d.]/.test(word);
}

// `--load-in-4bit` is `load_in_4bit` elsewhere and the key loadIn4bit: beside a number, words end
// differently.
const squashed = (flag: string): string => flag.replace(/-(?=\d)|(?<=\d)-/g, '');

/** Where the meaning of a flag is looked up. */
interface Known {
  readonly table: KeyTable;
  readonly own: ReadonlyMap<string, { readonly key: string; readonly schema: JsonSchema }>;
  readonly spec: CommandSpec | undefined;
  /** The plugin that contributes the command: its section's keys need no prefix. */
  readonly owner: string;
  /** The flag as typed, for errors. */
  readonly written: string;
}

function meaningOf(known: Known): Meant {
  const { written } = known;
  const name = kebab(written.slice(2));
  const direct = lookUp(name, known);
  if (direct) return { target: direct, name, negated: false };
  if (name.startsWith('no-')) {
    const positive = lookUp(name.slice(3), known);
    if (positive) return { target: positive, name: name.slice(3), negated: true };
  }
  const hint = suggestFlag(name, known.table, [...known.own.keys()]);
  throw flagUnknown(written, known.spec?.name ?? '', hint);
}

function lookUp(flag: string, known: Known): Target | undefined {
  const { table, own, spec, owner, written } = known;
  const mine = own.get(flag);
  if (mine) return { kind: 'own', name: mine.key, schema: mine.schema };
  const refusal = spec?.unsupported?.[camel(flag)];
  if (refusal !== undefined) return refusedTarget(camel(flag), refusal, written);
  const meaning = declared(flag, table);
  if (meaning?.kind !== 'key' || meaning.key.flag !== flag) {
    const alias = own.get(kebab(spec?.aliases?.[camel(flag)] ?? ''));
    if (alias) return { kind: 'own', name: alias.key, schema: alias.schema };
  }
  const target = targetOf(meaning, known);
  if (target) return target;
  const section = spec && table.groups.find((group) => group.owner === owner)?.section;
  const within = section === undefined ? undefined : declared(`${kebab(section)}-${flag}`, table);
  return targetOf(within, known) ?? openTarget(flag, table);
}

function declared(flag: string, { flags }: KeyTable): Meaning | undefined {
  return flags.get(flag) ?? [...flags].find(([known]) => squashed(known) === squashed(flag))?.[1];
}

function targetOf(meaning: Meaning | undefined, { spec, written }: Known): Target | undefined {
  switch (meaning?.kind) {
    case undefined:
      return undefined;
    case 'key': {
      const { path, field } = meaning.key;
      const refusal = spec?.unsupported?.[path]; // whatever the spelling
      if (refusal !== undefined) return refusedTarget(path, refusal, written);
      return { kind: 'key', name: path, schema: field.schema };
    }
    case 'section': {
      const { group } = meaning;
      return { kind: 'section', name: group.section!, group, schema: sectionSchema };
    }
    case 'unsupported':
      return refusedTarget(camel(meaning.name), meaning.refusal, written);
  }
}

/** Throws LMFLOW_OPTION_UNSUPPORTED where the name is refused whatever its value. */
function refusedTarget(name: string, refusal: Refusal, written: string): Target {
  if (typeof refusal === 'string') throw optionUnsupported(name, written, refusal);
  return { kind: 'refused', name, refusal, schema: anySchema };
}

/** Loose sections take keys without a declaration: --tokens-foo. */
function openTarget(flag: string, { groups }: KeyTable): Target | undefined {
  const open = groups.find(
    ({ open: isOpen, section }) =>
      isOpen && section !== undefined && flag.startsWith(`${kebab(section)}-`),
  );
  return (
    open && {
      kind: 'key',
      name: `${open.section}.${camel(flag.slice(kebab(open.section!).length + 1))}`,
      schema: {},
    }
  );
}
