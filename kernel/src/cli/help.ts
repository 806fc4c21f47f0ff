// `lmflow --help`, and the help of lmflow's own commands. Code of ours: cac and commander want their
// flags one by one, here they are tables of keys. The help of plugins' commands is in command-help.ts.
import { columns } from '../columns.ts';
import type { Kernel } from '../kernel.ts';
import { describeFields } from '../settings/describe.ts';
import { kebab } from '../settings/names.ts';
import { kernelVersion } from '../versions.ts';
import { globalHelp } from './arguments.ts';
import { flagRow } from './flag-rows.ts';
import { inspectSpec } from './inspect.ts';
import { commandsOf, type InstalledPackage } from './installed.ts';

/** lmflow's own commands and their one line. */
export const builtInHelp: readonly (readonly [string, string])[] = [
  ['plugins', 'what is loaded: versions, taps, services, commands'],
  ['inspect', inspectSpec.summary],
  ['doctor', 'what works on this machine, what is missing and how to get it'],
  ['init', 'writes a first lmflow.config.ts'],
  ['completion', 'prints what makes bash, zsh or fish complete lmflow: lmflow completion bash'],
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
    'lmflow help NAME explains a command, a preset, or the options of a plugin (lmflow help lora).',
    '',
  ].join('\n');
}

/** Help of one of lmflow's own commands. */
export function builtInUsage(name: string, width: number): string {
  const line = builtInHelp.find(([command]) => command === name)?.[1] ?? '';
  const fields = name === inspectSpec.name ? describeFields(inspectSpec.options!) : [];
  const own = fields.map((field) => flagRow(kebab(field.key), field));
  return [
    `lmflow ${name}: ${line}`,
    '',
    `Usage: lmflow ${name} [flags]`,
    ...section('Flags of this command', own, width),
    ...section('Flags of every command', globalHelp, width),
    '',
  ].join('\n');
}

/** A heading and its rows. */
export function section(
  name: string,
  rows: readonly (readonly [string, string])[],
  width: number,
): string[] {
  return rows.length === 0 ? [] : ['', `${name}:`, ...columns(rows, width)];
}
