// `lmflow --help`, `lmflow help NAME`, `lmflow <command> --help`: finds what the help is about. The
// texts are in help.ts and command-help.ts.
import { messageOf, type Plugin, type Preset } from '@lmflow/sdk';
import type { Kernel } from '../kernel.ts';
import type { Output } from '../logger.ts';
import { wordUnexpected } from '../errors.ts';
import { groupOf } from '../settings/keys.ts';
import { kebab } from '../settings/names.ts';
import type { CommandLine } from './arguments.ts';
import type { InstalledPackage } from './installed.ts';
import { loadFor, unknownCommand, type Loading } from './load-for.ts';

/** What help needs of a session. */
export interface Helping extends Loading {
  readonly stdout: Output;
  readonly width: number;
}

/**
 * Prints help: the overview, or that of a command, a plugin's options, a preset; every flag of a
 * command where the words end with `all`. Throws LMFLOW_COMMAND_UNKNOWN, LMFLOW_ARGUMENT_UNEXPECTED.
 */
export async function printHelp(session: Helping, line: CommandLine): Promise<void> {
  const { command, words } = line;
  const all = words.at(-1) === 'all';
  // the values of a command's flags, before --help, are words too
  const names = command === 'help' ? words.slice(0, all ? -1 : undefined) : [command];
  if (names.length > 1) throw wordUnexpected('help', names[0]!, names[1]!);
  const [name] = names;
  const whole = name === undefined || name === 'help' || (name === 'all' && command === name);
  session.stdout.write(whole ? await overviewOf(session) : await helpOn(session, name, all));
}

async function overviewOf(session: Helping): Promise<string> {
  const { width, cwd, log } = session;
  const { overview } = await import('./help.ts');
  const { installedPackages } = await import('./installed.ts');
  let kernel: Kernel | undefined;
  let failure: unknown;
  try {
    kernel = await loadFor(session, undefined, false);
  } catch (error) {
    failure = error;
  }
  if (failure !== undefined) log.warn(`the configuration cannot be loaded: ${messageOf(failure)}`);
  return overview(kernel, installedPackages(cwd), width);
}

async function helpOn(session: Helping, name: string, all: boolean): Promise<string> {
  const { width, cwd } = session;
  const { builtInHelp, builtInUsage } = await import('./help.ts');
  if (builtInHelp.some(([builtIn]) => builtIn === name)) return builtInUsage(name, width);
  const texts = await import('./command-help.ts');
  const kernel = await loadFor(session, name);
  const command = kernel.commands.get(name);
  if (command) return (all ? texts.wholeHelp : texts.commandHelp)(command, kernel, width);
  const group = texts.groupNamed(name, kernel);
  const parts = group ? [texts.groupHelp(group, width)] : [];
  for (const found of await packagesNamed(name, cwd)) {
    if ('plugins' in found) parts.push(texts.presetHelp(found, namesOf(found), width));
    else if (!group && found.options) {
      parts.push(texts.groupHelp(groupOf(found.name, found.options), width));
    }
  }
  if (parts.length === 0) throw await unknownCommand(kernel, name, cwd);
  return parts.join('\n');
}

/** What is installed under a name: of a package, its short form, or the key of a plugin's section. */
async function packagesNamed(name: string, cwd: string): Promise<(Plugin | Preset)[]> {
  const { installedPackages } = await import('./installed.ts');
  const { importNamed } = await import('../plugins/packages.ts');
  const load = async ({ packageName, kind }: InstalledPackage): Promise<Plugin | Preset> =>
    made(await importNamed(packageName, kind, cwd, 'lmflow help'));
  const packages = installedPackages(cwd);
  const isNamed = ({ name: short, packageName, kind }: InstalledPackage): boolean =>
    [packageName, short, `${kind}-${short}`].includes(name) || short === kebab(name);
  const named = packages.filter(isNamed);
  if (named.length > 0) return await Promise.all(named.map(load));
  // a section may have any name; a package that does not load is no answer to this question
  const plugins = packages.filter(({ kind }) => kind === 'plugin');
  const loaded = await Promise.allSettled(plugins.map(load));
  return loaded.flatMap((each) => {
    const plugin = each.status === 'fulfilled' && 'apply' in each.value ? each.value : undefined;
    const section = plugin?.options?.section;
    return section !== undefined && kebab(section) === kebab(name) ? [plugin!] : [];
  });
}

function made(value: unknown): Plugin | Preset {
  return typeof value === 'function' ? (value as () => Plugin | Preset)() : (value as Preset);
}

function namesOf({ plugins }: Preset): string[] {
  return plugins.flatMap((item) => {
    if (item === null || item === undefined || item === false) return [];
    if (typeof item === 'object' && 'inferenceOnly' in item) {
      return namesOf({ name: '', plugins: [item.inferenceOnly] }).map(
        (name) => `${name} (for inference)`,
      );
    }
    return [typeof item === 'string' ? item : made(item).name];
  });
}
