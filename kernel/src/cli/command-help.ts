// `lmflow <command> --help`: a screen of what people set, or with `--help all` every flag; and
// `lmflow help NAME` for the options of a plugin, or a preset.
import type { Preset } from '@lmflow/sdk';
import { wrap } from '../columns.ts';
import type { ContributedCommand } from '../context.ts';
import type { Kernel } from '../kernel.ts';
import { coreOwner } from '../settings/core.ts';
import { describeFields } from '../settings/describe.ts';
import type { Group, Key } from '../settings/keys.ts';
import { kebab } from '../settings/names.ts';
import { globalHelp } from './arguments.ts';
import { flagRow } from './flag-rows.ts';
import { section } from './help.ts';

type Row = readonly [string, string];

/** What people set: the command's own flags and the keys that it lists, a line each. */
export function commandHelp(command: ContributedCommand, kernel: Kernel, width: number): string {
  const { spec } = command;
  const listed = (spec.sections ?? []).flatMap((path) => kernel.keys.byPath.get(path) ?? []);
  const own = ownSection(command, kernel);
  const flags = ownRows(command);
  // a command that lists none of its section's keys, and has none as a flag, wants all of them
  const chosen = listed.some(({ group }) => group === own) || hasFlagsOf(own, command);
  const inside = chosen ? [] : (own?.keys.values() ?? []);
  const keys = [...listed, ...inside].filter(({ path }) => !isRefused(command, path));
  const rows = [...keys.map((key) => keyRow(key, own, kernel)), ...flags];
  const others = kernel.keys.groups
    .filter(({ owner, section: name }) => name !== undefined && owner !== command.plugin)
    .map((group) => topicOf(group));
  const parts = others.length === 0 ? '' : ` Those of one part: lmflow help ${others.join(', ')}.`;
  return [
    ...head(command),
    ...section('Flags', shortened(rows, width), width),
    ...examples(command),
    '',
    ...wrap(`All flags: lmflow ${spec.name} --help all.${parts}`, width),
    '',
  ].join('\n');
}

/** Every flag of one command, what it lists first, engines last. */
export function wholeHelp(command: ContributedCommand, kernel: Kernel, width: number): string {
  const { spec } = command;
  const shown = new Set<Key>();
  const own = ownSection(command, kernel);
  const take = (keys: Iterable<Key>): Row[] =>
    [...keys]
      .filter((key) => !shown.has(key) && !isRefused(command, key.path))
      .map((key) => {
        shown.add(key);
        return keyRow(key, own, kernel);
      });
  const paths = spec.sections ?? [];
  const flat = paths.flatMap((path) => kernel.keys.byPath.get(path) ?? []);
  const first = paths.flatMap((name) => kernel.keys.groups.filter((g) => g.section === name));
  const rest = kernel.keys.groups.filter((group) => !first.includes(group));
  const engines = rest.filter(isEngine);
  const groups = [...first, ...rest.filter((group) => !isEngine(group)), ...engines];
  return [
    ...head(command),
    ...section('Flags of this command', ownRows(command), width),
    ...section('Most used', take(flat), width),
    ...groups.flatMap((group) => section(title(group), take(group.keys.values()), width)),
    ...section('Flags of every command', globalHelp, width),
    ...examples(command),
    '',
    ...wrap(
      'Lists are repeated or separated by commas, objects are JSON. In a config file keys are camelCase: learningRate.',
      width,
    ),
    '',
  ].join('\n');
}

/** The keys of one owner, of a plugin say. */
export function groupHelp(group: Group, width: number): string {
  const rows = [...group.keys.values()].map((key) => flagRow(key.flag, key.field));
  const where = group.section === undefined ? 'keys' : `section "${group.section}"`;
  return [
    `${title(group)}: ${where} of the configuration`,
    ...section('Flags', rows, width),
    '',
  ].join('\n');
}

/** The keys that `lmflow help` knows by this name, in any spelling: a section's, or a plugin's. */
export function groupNamed(name: string, kernel: Kernel): Group | undefined {
  return kernel.keys.groups.find(
    (group) =>
      group.owner === name ||
      [topicOf(group), shortName(group)].some((known) => kebab(known) === kebab(name)) ||
      `plugin-${shortName(group)}` === name,
  );
}

/** What a preset is made of. */
export function presetHelp(
  { name, config }: Preset,
  plugins: readonly string[],
  width: number,
): string {
  return [
    `preset ${name}`,
    ...section(
      'Plugins',
      plugins.map((plugin) => [plugin, ''] as const),
      width,
    ),
    ...(config === undefined
      ? []
      : ['', 'Configuration:', ...JSON.stringify(config, null, 2).split('\n').map(indented)]),
    '',
  ].join('\n');
}

const indented = (line: string): string => `  ${line}`;

function head({ spec }: ContributedCommand): string[] {
  return [
    `lmflow ${spec.name}: ${spec.summary}`,
    '',
    `Usage: lmflow ${spec.name} ${spec.usage === undefined ? '' : `${spec.usage} `}[flags]`,
  ];
}

function examples({ spec: { examples: lines = [] } }: ContributedCommand): string[] {
  return lines.length === 0 ? [] : ['', 'Examples:', ...lines.map((example) => `  ${example}`)];
}

function ownRows({ spec }: ContributedCommand): Row[] {
  const fields = spec.options ? describeFields(spec.options) : [];
  return fields.map((field) => flagRow(kebab(field.key), field));
}

function hasFlagsOf(group: Group | undefined, { spec }: ContributedCommand): boolean {
  const fields = spec.options ? describeFields(spec.options) : [];
  return fields.some(({ key }) => group?.keys.has(key) === true);
}

function ownSection({ plugin }: ContributedCommand, { keys }: Kernel): Group | undefined {
  return keys.groups.find(({ owner, section: name }) => owner === plugin && name !== undefined);
}

/** A key as a flag: one of the command's own section without its prefix. */
function keyRow(key: Key, own: Group | undefined, { keys }: Kernel): Row {
  const bare = kebab(key.field.key);
  const plain = key.group === own && !keys.flags.has(bare);
  return flagRow(plain ? bare : key.flag, key.field);
}

function isRefused({ spec }: ContributedCommand, path: string): boolean {
  return Object.hasOwn(spec.unsupported ?? {}, path);
}

/** One line each: the first sentence, as far as there is room. */
function shortened(rows: readonly Row[], width: number): Row[] {
  const left = Math.min(30, Math.max(...rows.map(([flag]) => flag.length)));
  const room = width - left - 4;
  return rows.map(([flag, text]) => {
    const name = flag.length <= 30 ? flag : `${flag.slice(0, flag.indexOf(' ') + 1)}<value>`;
    const note = / \[[^\]]*\]$/.exec(text)?.[0] ?? '';
    const sentence = /^.*?[.;:](?= |$)/s.exec(text)?.[0].replace(/[.;:]$/, '') ?? text;
    const space = room - (note.length > 30 ? 0 : note.length);
    const said =
      sentence.length > space ? `${sentence.slice(0, space - 3).trimEnd()}...` : sentence;
    return [name, note.length > 30 ? said : `${said}${note}`];
  });
}

/** The name that `lmflow help` knows a group by: its section, or the plugin's short name. */
function topicOf({ owner, section: name }: Group): string {
  return name ?? shortName({ owner });
}

function shortName({ owner }: Pick<Group, 'owner'>): string {
  return owner.replace(/^(@lmflow\/|lmflow-)plugin-/, '');
}

function isEngine({ owner }: Group): boolean {
  return /plugin-engine-/.test(owner);
}

function title(group: Group): string {
  if (group.owner === coreOwner) return 'General';
  return group.section === undefined ? group.owner : `${group.section} (${group.owner})`;
}
