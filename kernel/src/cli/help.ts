// `lmflow --help` and `lmflow <command> --help`, made from what the plugins declare. Code of ours:
// cac and commander want their flags one by one, here they are tables of keys, grouped by plugin.
import { columns, wrap } from '../columns.ts';
import type { ContributedCommand } from '../context.ts';
import type { Kernel } from '../kernel.ts';
import { alternatives, describeFields, shortType, type Field } from '../settings/describe.ts';
import { coreOwner } from '../settings/core.ts';
import type { Group, Key } from '../settings/keys.ts';
import { kebab } from '../settings/names.ts';
import { kernelVersion } from '../versions.ts';
import { globalHelp } from './arguments.ts';
import { inspectSpec } from './inspect.ts';
import { commandsOf, type InstalledPackage } from './installed.ts';

/** lmflow's own commands and their one line. */
export const builtInHelp: readonly (readonly [string, string])[] = [
  ['plugins', 'what is loaded: versions, taps, services, commands'],
  ['inspect', inspectSpec.summary],
  ['doctor', 'what works on this machine, what is missing and how to get it'],
  ['init', 'writes a first lmflow.config.ts'],
];

/**
 * The overview. `kernel` is undefined where loading failed; commands that are installed and not
 * loaded come from the packages' manifests.
 */
export function overview(
  kernel: Kernel | undefined,
  packages: readonly InstalledPackage[],
  width: number,
): string {
  const loaded = [...(kernel?.commands.values() ?? [])].map(
    ({ spec }) => [spec.name, spec.summary] as const,
  );
  const names = kernel?.presets.map(({ name }) => name).join(', ');
  const others = commandsOf(packages).filter(([name]) => !kernel?.commands.has(name));
  const presets = packages.filter(({ kind }) => kind === 'preset');
  return [
    `lmflow ${kernelVersion}`,
    '',
    'Usage: lmflow <command> [--preset NAME] [flags]',
    ...section(`Commands${names ? ` (of ${names})` : ''}`, loaded, width),
    ...section(loaded.length > 0 ? 'Commands of other packages' : 'Commands', others, width),
    ...section('Built in', builtInHelp, width),
    ...section(
      'Presets that are installed',
      presets.map(({ name, description, commands }) => {
        const brought = [...commands.keys()].join(', ');
        return [name, brought === '' ? description : `${description} (lmflow ${brought})`] as const;
      }),
      width,
    ),
    ...section('Flags of every command', globalHelp, width),
    '',
    kernel?.configFile === undefined
      ? 'No config file here: name a preset, or write one with lmflow init.'
      : `Config file: ${kernel.configFile}`,
    'Every configuration key is a flag too: lmflow <command> --help shows them.',
    '',
  ].join('\n');
}

/** All flags of one command, the most used first. */
export function commandHelp(command: ContributedCommand, kernel: Kernel, width: number): string {
  const { spec } = command;
  const shown = new Set<Key>();
  const first = spec.sections ?? [];
  const flat = first.flatMap((name) => kernel.keys.byPath.get(name) ?? []);
  const sections = first.flatMap((name) =>
    kernel.keys.groups.filter((group) => group.section === name),
  );
  const rest = kernel.keys.groups.filter((group) => !sections.includes(group));
  const own = spec.options
    ? describeFields(spec.options).map((field) => row(kebab(field.key), field))
    : [];
  const take = (keys: Iterable<Key>): (readonly [string, string])[] =>
    [...keys]
      .filter((key) => !shown.has(key) && !Object.hasOwn(spec.unsupported ?? {}, key.path))
      .map((key) => {
        shown.add(key);
        return row(key.flag, key.field);
      });
  return [
    `lmflow ${spec.name}: ${spec.summary}`,
    '',
    `Usage: lmflow ${spec.name} ${spec.usage === undefined ? '' : `${spec.usage} `}[flags]`,
    ...section('Flags of this command', own, width),
    ...section('Most used', take(flat), width),
    ...[...sections, ...rest].flatMap((group) =>
      section(title(group), take(group.keys.values()), width),
    ),
    ...section('Flags of every command', globalHelp, width),
    ...(spec.examples?.length
      ? ['', 'Examples:', ...spec.examples.map((example) => `  ${example}`)]
      : []),
    '',
    ...wrap(
      'Lists are repeated or separated by commas, objects are JSON. In a config file keys are camelCase: learningRate.',
      width,
    ),
    '',
  ].join('\n');
}

/** Help of one of lmflow's own commands. */
export function builtInUsage(name: string, width: number): string {
  const line = builtInHelp.find(([command]) => command === name)?.[1] ?? '';
  const fields = name === inspectSpec.name ? describeFields(inspectSpec.options!) : [];
  const own = fields.map((field) => row(kebab(field.key), field));
  return [
    `lmflow ${name}: ${line}`,
    '',
    `Usage: lmflow ${name} [flags]`,
    ...section('Flags of this command', own, width),
    ...section('Flags of every command', globalHelp, width),
    '',
  ].join('\n');
}

function section(
  name: string,
  rows: readonly (readonly [string, string])[],
  width: number,
): string[] {
  return rows.length === 0 ? [] : ['', `${name}:`, ...columns(rows, width)];
}

function title(group: Group): string {
  if (group.owner === coreOwner) return 'General';
  return group.section === undefined ? group.owner : `${group.section} (${group.owner})`;
}

function row(flag: string, field: Field): readonly [string, string] {
  const types = alternatives(field.schema);
  const onlySwitch = types.length === 1 && types[0]!.type === 'boolean';
  const left = onlySwitch
    ? `--${field.default === true ? '[no-]' : ''}${flag}`
    : `--${flag} ${valueName(field)}`;
  const notes = [
    ...(field.default !== undefined && !(onlySwitch && field.default === false)
      ? [`default ${text(field.default)}`]
      : []),
    ...(field.required ? ['required'] : []),
  ];
  return [left, `${field.description}${notes.length > 0 ? ` [${notes.join(', ')}]` : ''}`];
}

function valueName(field: Field): string {
  const type = shortType(field.schema);
  return type.length > 40 ? '<value>' : `<${type}>`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
