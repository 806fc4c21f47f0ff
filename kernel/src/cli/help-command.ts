// `lmflow --help`, `lmflow help NAME`, `lmflow <command> --help`: finds what the help is about. The
// texts are in help.ts and command-help.ts.
import { messageOf, type Plugin, type Preset } from '@lmflow/sdk';
import type { Kernel } from '../kernel.ts';
import type { Output } from '../logger.ts';
import { groupOf } from '../settings/keys.ts';
import { loadFor, unknownCommand, type Loading } from './load-for.ts';

/** What help needs of a session. */
export interface Helping extends Loading {
  readonly stdout: Output;
  readonly width: number;
}

/**
 * Prints help: the overview, or that of a command, a plugin's options, a preset; with `all` every
 * flag of the command. Throws LMFLOW_COMMAND_UNKNOWN.
 */
export async function printHelp(
  session: Helping,
  name: string | undefined,
  all: boolean,
): Promise<void> {
  session.stdout.write(
    name === undefined ? await overviewOf(session) : await helpOn(session, name, all),
  );
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
  const { installedPackages } = await import('./installed.ts');
  for (const { kind } of installedPackages(cwd).filter((each) => each.name === name)) {
    const { importNamed } = await import('../plugins/packages.ts');
    const found = made(await importNamed(name, kind, cwd, 'lmflow help'));
    if ('plugins' in found) parts.push(texts.presetHelp(found, namesOf(found), width));
    else if (!group && found.options) {
      parts.push(texts.groupHelp(groupOf(found.name, found.options), width));
    }
  }
  if (parts.length === 0) throw await unknownCommand(kernel, name, cwd);
  return parts.join('\n');
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
