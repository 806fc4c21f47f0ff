// The command from its words to its exit code. The kernel is imported only when it is needed, so
// that --version is instant.
import { messageOf } from '@lmflow/sdk';
import {
  argumentUnexpected,
  flagInvalid,
  flagUnknown,
  hookStuck,
  shellUnknown,
  wordUnexpected,
} from '../errors.ts';
import { ExitCode, exitCodeOf } from '../exit-codes.ts';
import { createLogger, type Output, type TerminalLogger } from '../logger.ts';
import type { Kernel } from '../kernel.ts';
import type { TypedFlags } from '../settings/flags.ts';
import { kernelVersion, sdkVersion } from '../versions.ts';
import { readArguments, type CommandLine, type Globals } from './arguments.ts';
import { listenForInterrupt } from './interrupt.ts';
import { loadFor, unknownCommand } from './load-for.ts';
import { reportError } from './report.ts';

interface Session {
  readonly line: CommandLine;
  readonly globals: Globals;
  readonly log: TerminalLogger;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly cwd: string;
  readonly width: number;
}

/** Runs `lmflow` with these words; gives the exit code and never throws. */
export async function main(
  argv: readonly string[],
  stdout: Output = process.stdout,
  stderr: Output = process.stderr,
): Promise<number> {
  const colored = (color?: boolean): boolean =>
    color ?? (stderr.isTTY === true && (process.env['NO_COLOR'] ?? '') === '');
  let line: CommandLine;
  try {
    line = readArguments(argv);
  } catch (error) {
    reportError(error, stderr, {
      json: argv.includes('--json'),
      verbose: argv.includes('--verbose'),
      color: colored(),
    });
    return exitCodeOf(error);
  }
  const { globals } = line;
  const { json, verbose, color } = globals;
  const log = createLogger({
    json,
    verbose,
    stdout,
    stderr,
    ...(color === undefined ? {} : { color }),
  });
  const width = Math.min(100, Math.max(60, stdout.columns ?? 100));
  const started = process.cwd();
  try {
    // of the process, because plugins read the paths of a configuration relative to it
    if (globals.cwd !== undefined) enter(globals.cwd);
    return await dispatch({ line, globals, log, stdout, stderr, cwd: process.cwd(), width });
  } catch (error) {
    log.end();
    reportError(error, stderr, { json, verbose, color: colored(color) });
    return exitCodeOf(error);
  } finally {
    log.end();
    if (globals.cwd !== undefined) process.chdir(started);
  }
}

function enter(folder: string): void {
  try {
    process.chdir(folder);
  } catch (error) {
    throw flagInvalid(
      '--cwd',
      `${folder} cannot be entered: ${messageOf(error)}`,
      'Name a folder that exists.',
    );
  }
}

async function dispatch(session: Session): Promise<number> {
  const { globals, stdout, line } = session;
  if (globals.version) {
    stdout.write(
      globals.json
        ? `${JSON.stringify({ lmflow: kernelVersion, sdk: sdkVersion, node: process.versions.node })}\n`
        : `lmflow ${kernelVersion} (@lmflow/sdk ${sdkVersion})\n`,
    );
    return ExitCode.Ok;
  }
  const asked = line.command;
  if (globals.help || asked === 'help' || asked === undefined) {
    const { printHelp } = await import('./help-command.ts');
    await printHelp(session, line);
    return ExitCode.Ok;
  }
  switch (asked) {
    case 'init':
      return await runInit(session);
    case 'doctor':
      return await runDoctor(session);
    case 'completion':
      return await runCompletion(session);
    case 'plugins':
    case 'inspect':
      return await runReport(session, asked);
    default:
      return await runCommand(session, asked);
  }
}

async function runInit({ cwd, log, globals, line }: Session): Promise<number> {
  const [word] = line.words;
  if (word?.startsWith('-')) throw flagUnknown(word, 'init', undefined);
  if (word !== undefined) throw argumentUnexpected(word, 'init');
  const { init } = await import('./init.ts');
  const file = await init(cwd, globals.presets[0] ?? 'lora');
  log.event('init', { file }, `wrote ${file}: set model and dataset, then run lmflow finetune`);
  return ExitCode.Ok;
}

/** Prints the script of a shell; `completion words -- ...` is what the scripts ask. */
async function runCompletion(session: Session): Promise<number> {
  const { stdout, line } = session;
  const [shell = '', ...words] = line.words;
  const { completions, completionScript, shells } = await import('./completion.ts');
  if (shell === 'words') {
    const found = await completions(words.slice(1), session);
    stdout.write(found.map((word) => `${word}\n`).join(''));
    return ExitCode.Ok;
  }
  const script = completionScript(shell);
  if (script === undefined) throw shellUnknown(shell, shells);
  if (words[0] !== undefined) throw wordUnexpected('completion', shell, words[0]);
  stdout.write(script);
  return ExitCode.Ok;
}

async function runDoctor(session: Session): Promise<number> {
  const { examine, printChecks } = await import('./doctor.ts');
  let kernel: Kernel | undefined;
  let failure: unknown;
  try {
    kernel = await loadFor(session);
    const { readFlags } = await import('../settings/flags.ts');
    const { settings, positionals } = readFlags(session.line.words, kernel.keys, undefined);
    if (positionals[0] !== undefined) throw argumentUnexpected(positionals[0], 'doctor');
    kernel.configure(settings);
  } catch (error) {
    failure = error;
  }
  const checks = await examine(kernel, failure, session.cwd);
  if (session.globals.json) session.stdout.write(`${JSON.stringify(checks, null, 2)}\n`);
  else printChecks(checks, session.log);
  if (kernel?.state === 'configured') await kernel.close();
  return checks.some(({ status }) => status === 'problem') ? ExitCode.Failure : ExitCode.Ok;
}

async function runReport(base: Session, name: 'plugins' | 'inspect'): Promise<number> {
  const { json, verbose } = base.globals;
  // With --json, stdout has the report alone.
  const log = json
    ? createLogger({ json, verbose, stdout: base.stderr, stderr: base.stderr })
    : base.log;
  const session = { ...base, log };
  const kernel = await loadFor(session);
  const { readFlags } = await import('../settings/flags.ts');
  const { inspectSpec } = await import('./inspect.ts');
  const { options: _own, ...plain } = inspectSpec;
  const spec = name === 'inspect' ? inspectSpec : { ...plain, name };
  const typed = readFlags(session.line.words, kernel.keys, spec);
  kernel.configure(typed.settings);
  try {
    await (name === 'plugins' ? showPlugins(session, kernel) : inspect(session, kernel, typed));
  } finally {
    await kernel.close();
  }
  return ExitCode.Ok;
}

async function showPlugins({ globals, stdout }: Session, kernel: Kernel): Promise<void> {
  const { pluginReports, printPlugins } = await import('./plugins.ts');
  if (!globals.json) printPlugins(kernel);
  else stdout.write(`${JSON.stringify(pluginReports(kernel), null, 2)}\n`);
}

async function inspect(
  { globals, stdout, cwd }: Session,
  kernel: Kernel,
  { options }: TypedFlags,
): Promise<void> {
  const { inspectModel, safeReport, printInspection } = await import('./inspect.ts');
  const { lastRun } = await import('./last-run.ts');
  const model = await inspectModel(kernel, options);
  const last = await lastRun(cwd);
  if (!globals.json) printInspection(kernel, last, model);
  else {
    stdout.write(`${JSON.stringify({ ...safeReport(kernel), model, lastRun: last }, null, 2)}\n`);
  }
}

async function runCommand(session: Session, name: string): Promise<number> {
  const { log, line, globals } = session;
  const kernel = await loadFor(session, name);
  const command = kernel.commands.get(name);
  if (!command) throw await unknownCommand(kernel, name, session.cwd);
  const { readFlags } = await import('../settings/flags.ts');
  const typed = readFlags(line.words, kernel.keys, command.spec, command.plugin);
  kernel.configure(typed.settings);
  if (command.spec.pipes === true) log.leaveStdout();
  // process streams, except in tests
  const output = globals.json ? session.stderr : session.stdout;
  const interrupt = listenForInterrupt(log);
  const watch = watchForStuck(kernel, name, session);
  let exitCode: number;
  try {
    ({ exitCode } = await kernel.run(name, {
      options: typed.options,
      positionals: typed.positionals,
      signal: interrupt.signal,
      output: output as NodeJS.WritableStream,
    }));
    await remember(session, kernel, name);
    await kernel.close();
  } catch (error) {
    if (!isAbort(error)) {
      // the first failure is reported; closing often fails because of it
      await kernel.close().catch((failure: unknown) => {
        log.debug(String(failure));
      });
      throw error;
    }
    exitCode = ExitCode.Interrupted;
    await remember(session, kernel, name);
    await kernel.close();
  } finally {
    interrupt.stop();
    watch.stop();
  }
  return interrupt.exitCode() ?? exitCode;
}

/** What `lmflow inspect` shows of the last run. */
async function remember(
  { cwd, globals, log }: Session,
  kernel: Kernel,
  command: string,
): Promise<void> {
  const { times } = kernel.inspect();
  const { rememberRun } = await import('./last-run.ts');
  await rememberRun(cwd, { command, ended: new Date().toISOString(), times });
  if (!globals.verbose) return;
  const { printTimes } = await import('./inspect.ts');
  printTimes('times of taps', times, (title, rows) => {
    for (const [left, right] of [[title, ''] as const, ...rows]) log.debug(`${left}  ${right}`);
  });
}

/**
 * Node ends a process whose promises never settle without a message; this reports whose they are.
 */
function watchForStuck(
  kernel: Kernel,
  command: string,
  { stderr, globals, log }: Session,
): { stop(): void } {
  const listener = (): void => {
    log.end();
    const error = hookStuck(kernel.runningTaps(), command);
    reportError(error, stderr, {
      json: globals.json,
      verbose: globals.verbose,
      color: globals.color ?? false,
    });
    process.exit(exitCodeOf(error));
  };
  process.once('beforeExit', listener);
  return { stop: () => process.off('beforeExit', listener) };
}

function isAbort(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'AbortError' || (error as { code?: unknown }).code === 'LMFLOW_ABORTED')
  );
}
