// The kernel: applies plugins, configures, freezes, runs commands, closes. Created -> configured ->
// running -> closed. It knows no feature: everything that computes is a plugin.
import {
  COMMANDS,
  ENGINE,
  ENGINES,
  didYouMean,
  isLMFlowError,
  type CommandOutcome,
  type Config,
  type Hooks,
  type Logger,
  type Plugin,
  type Preset,
  type Registry,
  type Rows,
  type Token,
  type UserConfigExport,
} from '@lmflow/sdk';
import { commandRunner } from './beside.ts';
import { closeTaps } from './closing.ts';
import { Services } from './container.ts';
import { createContext, type ContributedCommand, type Shared } from './context.ts';
import {
  applyFailed,
  argumentUnexpected,
  closeFailed,
  commandUnknown,
  engineUnknown,
  exitCodeInvalid,
  inferenceOnly,
  outOfOrder,
  pluginInvalid,
} from './errors.ts';
import { HookBoard, isThenable, type RunningTap, type TapReport } from './hooks.ts';
import { load, type Loaded } from './load.ts';
import { canonicalOrder } from './plugins/order.ts';
import { Tables } from './tables.ts';
import { createLogger } from './logger.ts';
import { parseOptions } from './settings/command-options.ts';
import { ownFlags, readFlags } from './settings/flags.ts';
import { buildKeyTable, type KeyTable } from './settings/keys.ts';
import {
  mergeSettings,
  readLayer,
  toConfig,
  withChanges,
  type Settings,
} from './settings/layers.ts';
import { parseSettings, type Parsed } from './settings/parse.ts';
import type {
  KernelOptions,
  KernelReport,
  KernelState,
  ResultOf,
  RunOutcome,
  RunRequest,
} from './types.ts';

/** Commands that lmflow itself has; no plugin may contribute one of these names. */
const builtInCommands = ['plugins', 'inspect', 'doctor', 'init', 'completion', 'help'] as const;

/** A kernel. Two of them in one process share nothing. */
export class Kernel {
  readonly log: Logger;
  readonly plugins: readonly Plugin[];
  readonly presets: readonly Preset[];
  /** Absolute path of the config file that was read. */
  readonly configFile: string | undefined;
  /** Every configuration key that is loaded. */
  readonly keys: KeyTable;
  readonly #loaded: Loaded;
  readonly #board: HookBoard;
  readonly #services = new Services();
  readonly #tables = new Tables();
  readonly #shared: Shared;
  #state: KernelState = 'created';
  #parsed: Parsed | undefined;
  #closing: Promise<void> | undefined;
  #running: Promise<unknown> | undefined;
  readonly #abort = new AbortController();

  /** Applies the plugins; `configure` comes next. Use createKernel. */
  constructor(loaded: Loaded, log: Logger) {
    this.log = log;
    this.#loaded = loaded;
    this.plugins = loaded.plugins;
    this.presets = loaded.presets;
    this.configFile = loaded.configFile;
    this.keys = buildKeyTable(loaded.plugins);
    const ranks = new Map(canonicalOrder(loaded.plugins).map(({ name }, rank) => [name, rank]));
    this.#board = new HookBoard(
      log,
      (plugin) => ranks.get(plugin)!,
      (plugin) => this.#trains(plugin),
    );
    this.#shared = {
      board: this.#board,
      services: this.#services,
      tables: this.#tables,
      log,
      commands: new Map(),
      reserved: builtInCommands,
      parsed: undefined,
      closed: false,
    };
    for (const plugin of loaded.plugins) this.#apply(plugin);
    this.#provideEngine();
    this.#services.provide(COMMANDS, 'lmflow', () => commandRunner(loaded, log, createKernel));
    for (const { spec, plugin } of this.#shared.commands.values()) {
      ownFlags(spec, this.keys, plugin);
    }
  }

  get state(): KernelState {
    return this.#state;
  }

  /** The hooks; all tapping is done by then. */
  get hooks(): Hooks {
    return this.#board.hooks;
  }

  /** The parsed configuration, frozen. */
  get config(): Config {
    return this.#configured('config').config;
  }

  /** Commands of the plugins, by name. */
  get commands(): ReadonlyMap<string, ContributedCommand> {
    return this.#shared.commands;
  }

  /** Token name -> name of the plugin that provides it. */
  get providers(): ReadonlyMap<string, string> {
    return this.#services.providers();
  }

  #apply(plugin: Plugin): void {
    const board = this.#board;
    const { returned, thrown, missed } = board.during(plugin.name, () =>
      plugin.apply(createContext(plugin, this.#shared)),
    );
    if (isThenable(returned)) {
      returned.then(undefined, () => undefined);
      throw pluginInvalid(
        `plugin ${plugin.name}`,
        'its apply() is asynchronous',
        'Only register in apply(), and do the work in taps, factories and commands.',
      );
    }
    if (thrown === undefined) return;
    if (isLMFlowError(thrown)) throw thrown;
    const hint =
      missed === undefined ? undefined : hookHint(missed, didYouMean(missed, board.names()));
    throw applyFailed(plugin.name, thrown, hint);
  }

  /**
   * Whether a plugin takes part in training. Throws LMFLOW_PLUGIN_INFERENCE_ONLY where it does not
   * and the user has set options of it.
   */
  #trains(name: string): boolean {
    if (!this.#loaded.inferenceOnly.has(name)) return true;
    const section = this.plugins.find((plugin) => plugin.name === name)?.options?.section;
    const set = [...this.#configured('training').settings].find(
      ([key, { origin }]) =>
        section !== undefined &&
        key.startsWith(`${section}.`) &&
        origin !== 'default' &&
        !origin.startsWith('preset '),
    );
    if (set) throw inferenceOnly(name, set[0], set[1].origin);
    return false;
  }

  /** The engine in force is a row of ENGINES, unless a plugin provides ENGINE itself. */
  #provideEngine(): void {
    const engines = this.#tables.rows(ENGINES);
    if (engines.size === 0 || this.#services.has(ENGINE)) return;
    this.#services.provide(ENGINE, 'lmflow', () => {
      const { engine = engines.names()[0]! } = this.#configured('resolve(engine)').config;
      const row = engines.get(engine);
      if (!row) throw engineUnknown(engine, engines.names());
      return row.create();
    });
  }

  /**
   * Merges all layers, runs onConfig, parses, freezes. `flags` are stronger than everything else.
   */
  configure(flags: Settings = new Map()): void {
    if (this.#state !== 'created') {
      throw outOfOrder(
        'configure()',
        this.#state,
        'Leave it to createKernel, which configures once.',
      );
    }
    const table = this.keys;
    let settings = mergeSettings(
      [...this.#loaded.layers.map((layer) => readLayer(layer, table)), flags],
      table,
    );
    this.#board.freeze();
    for (const { plugin, fn } of this.#board.taps('onConfig')) {
      const config = toConfig(settings, table);
      const values = (fn(config) ?? config) as Record<string, unknown>;
      settings = withChanges(
        settings,
        readLayer({ origin: `onConfig of ${plugin}`, values }, table),
      );
    }
    this.#parsed = parseSettings(settings, table);
    this.#shared.parsed = this.#parsed;
    this.#state = 'configured';
  }

  /** A service of a plugin. Throws LMFLOW_TOKEN_MISSING. */
  resolve<T>(token: Token<T>): T {
    this.#configured(`resolve(${token.name})`);
    return this.#services.resolve(token, 'the application');
  }

  /** The rows that plugins have added to a table. */
  rows<R extends { readonly name: string }>(registry: Registry<R>): Rows<R> {
    return this.#tables.rows(registry);
  }

  /** What a plugin added to tables: `optimizer lion`. */
  contributions(plugin: string): readonly string[] {
    return this.#tables.of(plugin);
  }

  /** Whether a plugin provides the service. */
  has(token: Token<unknown>): boolean {
    return this.#services.has(token);
  }

  /**
   * Runs a command of a plugin, one at a time. Gives its exit code and its result (a FitResult for
   * `finetune`). Throws LMFLOW_COMMAND_UNKNOWN, and what the command throws.
   */
  async run<N extends string>(name: N, request: RunRequest = {}): Promise<RunOutcome<ResultOf<N>>> {
    const { config } = this.#configured(`run('${name}')`);
    if (this.#state === 'running') {
      throw outOfOrder(
        `run('${name}')`,
        'running',
        'Await the first command, or make a second kernel.',
      );
    }
    const command = this.#shared.commands.get(name);
    if (!command) throw this.unknownCommand(name);
    const { spec } = command;
    const positionals = request.positionals ?? [];
    if (spec.usage === undefined && positionals.length > 0) {
      throw argumentUnexpected(positionals[0]!, name);
    }
    const options = parseOptions(command, request.options ?? {}, this.keys);
    this.#state = 'running';
    const { signal } = this.#abort;
    try {
      const running = Promise.resolve(
        spec.run({
          options,
          positionals,
          config,
          signal: request.signal ? AbortSignal.any([request.signal, signal]) : signal,
          output: request.output ?? process.stdout,
        }),
      );
      this.#running = running;
      const returned = await running;
      const { exitCode = 0, result }: CommandOutcome =
        typeof returned === 'number' ? { exitCode: returned } : (returned ?? {});
      if (!Number.isInteger(exitCode) || exitCode < 0 || exitCode > 255) {
        throw exitCodeInvalid(name, command.plugin, exitCode);
      }
      return { exitCode, result: result as ResultOf<N> };
    } finally {
      this.#running = undefined;
      this.#state = 'configured';
    }
  }

  /** The error for a command that nobody contributes; `installed` are those of other packages. */
  unknownCommand(name: string, installed: readonly string[] = []): Error {
    const loaded = this.#shared.commands.keys();
    return commandUnknown(name, [...new Set([...loaded, ...installed, ...builtInCommands])]);
  }

  /** The resolved configuration with origins, the order of taps, and times so far. */
  inspect(): KernelReport {
    const { settings } = this.#configured('inspect()');
    return {
      configFile: this.configFile,
      presets: this.presets.map(({ name }) => name),
      plugins: this.plugins.map(({ name, version }) => `${name}@${version}`),
      settings: [...settings].map(([key, { value, origin }]) => ({ key, value, origin })),
      hooks: this.taps(),
      times: this.#board.times(),
    };
  }

  /** Asynchronous taps that have not settled, the innermost last. */
  runningTaps(): readonly RunningTap[] {
    return this.#board.running();
  }

  /** Taps of every hook that has any, in the order they run. */
  taps(): Readonly<Record<string, readonly TapReport[]>> {
    return this.#board.report();
  }

  /**
   * Runs onClose in reverse order, then disposes services, the latest first. A failure does not stop
   * the rest; LMFLOW_CLOSE_FAILED lists all of them. With `abort` a command that runs is aborted and
   * awaited first. A second call returns the promise of the first.
   */
  async close({ abort = false }: { readonly abort?: boolean } = {}): Promise<void> {
    if (this.#state === 'running') {
      if (!abort) {
        throw outOfOrder(
          'close()',
          'running',
          'Await the command first, or call close({ abort: true }).',
        );
      }
      this.#abort.abort(new DOMException('the kernel closes', 'AbortError'));
      // whoever called run() gets its failure
      await Promise.resolve(this.#running).catch(() => undefined);
    }
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const failures = [...(await closeTaps(this.#board)), ...(await this.#services.dispose())];
    this.#state = 'closed';
    this.#shared.closed = true;
    this.#board.freeze();
    if (failures.length > 0) throw closeFailed(failures);
  }

  #configured(call: string): Parsed {
    if (this.#state === 'closed' || this.#closing !== undefined) {
      throw outOfOrder(call, 'closed', 'Make a new kernel with createKernel.');
    }
    if (!this.#parsed) throw outOfOrder(call, 'not configured yet', 'Await createKernel() first.');
    return this.#parsed;
  }
}

/** What to do where apply() threw after it read a hook that does not exist. */
function hookHint(missed: string, near: string | undefined): string {
  return near === undefined
    ? `Put the plugin that defines the hook "${missed}" into "requires".`
    : `Write "${near}" for "${missed}", which is no hook.`;
}

/**
 * Makes a kernel: finds the config file (or takes `config`), loads presets and plugins, configures.
 * Close it when done. Throws an LMFlowError for every mistake in configuration or plugins;
 * docs/errors.md lists the codes.
 */
export async function createKernel(
  config?: UserConfigExport,
  options: KernelOptions = {},
): Promise<Kernel> {
  const kernel = await loadKernel(config, options);
  kernel.configure(readFlags(options.flags ?? [], kernel.keys, undefined).settings);
  return kernel;
}

/**
 * A kernel in state `created`: plugins are applied, nothing is merged or parsed. The command uses
 * it to know flags and commands first.
 */
export async function loadKernel(
  config?: UserConfigExport,
  options: KernelOptions = {},
): Promise<Kernel> {
  return new Kernel(await load(config, options), options.log ?? createLogger());
}
