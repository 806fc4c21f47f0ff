// What is loaded for a command line: the configuration, what flags name, and the package that brings
// the command. The kernel is imported only here, so that --version is instant.
import type { Kernel } from '../kernel.ts';
import type { TerminalLogger } from '../logger.ts';
import type { Globals } from './arguments.ts';

/** What is loaded where neither a config nor a flag says anything. */
const fallbackPreset = 'finetune';

/** What loading needs of a session. */
export interface Loading {
  readonly globals: Globals;
  readonly log: TerminalLogger;
  readonly cwd: string;
}

/**
 * Plugins applied, flags not yet read. Where neither a config nor a flag names anything, the preset
 * that brings the command is loaded; where nothing that is loaded has it, an installed package that
 * does is loaded too.
 */
export async function loadFor(
  { globals, log, cwd }: Loading,
  command?: string,
  withFallback = true,
): Promise<Kernel> {
  const { loadKernel } = await import('../index.ts');
  const { bringing, installedPackages } = await import('./installed.ts');
  const found = command === undefined ? undefined : bringing(command, installedPackages(cwd));
  const brings = found?.kind === 'preset' ? found.name : fallbackPreset;
  const load = (presets: readonly string[], plugins: readonly string[]): Promise<Kernel> =>
    loadKernel(undefined, {
      cwd,
      log,
      preset: presets,
      plugin: plugins,
      ...(withFallback ? { fallbackPreset: brings } : {}),
      ...(globals.config === undefined ? {} : { configFile: globals.config }),
    });
  const kernel = await load(globals.presets, globals.plugins);
  if (!found || kernel.commands.has(command!)) return kernel;
  log.debug(`the ${found.kind} ${found.name} is loaded for its command ${command}`);
  return found.kind === 'preset'
    ? await load([...globals.presets, found.name], globals.plugins)
    : await load(globals.presets, [...globals.plugins, found.name]);
}

/** The error for a command that nothing loaded and nothing installed has. */
export async function unknownCommand(kernel: Kernel, name: string, cwd: string): Promise<Error> {
  const { commandsOf, installedPackages } = await import('./installed.ts');
  const installed = commandsOf(installedPackages(cwd)).map(([command]) => command);
  return kernel.unknownCommand(name, installed);
}
