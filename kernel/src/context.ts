// What one plugin sees of the kernel while it is applied and afterwards.
import type { CommandSpec, Config, Logger, Plugin, PluginContext } from '@lmflow/sdk';
import { commandDuplicate, commandInvalid, frozen, outOfOrder, pluginInvalid } from './errors.ts';
import { kindOf } from './errors/shown.ts';
import type { HookBoard } from './hooks.ts';
import type { Services } from './container.ts';
import type { Tables } from './tables.ts';

/** A command and the plugin that contributes it. */
export interface ContributedCommand {
  readonly spec: CommandSpec;
  readonly plugin: string;
}

/** What contexts share with their kernel. */
export interface Shared {
  readonly board: HookBoard;
  readonly services: Services;
  readonly tables: Tables;
  readonly log: Logger;
  readonly commands: Map<string, ContributedCommand>;
  /** Names that only lmflow may give to commands. */
  readonly reserved: readonly string[];
  /** Undefined until the configuration is parsed. */
  parsed: { readonly config: Config; readonly options: ReadonlyMap<string, unknown> } | undefined;
  closed: boolean;
}

const useLater =
  'Use it in a tap, a factory given to provide(), or a command: apply() only registers.';

/** The context of a plugin. */
export function createContext(plugin: Plugin, shared: Shared): PluginContext {
  const { name } = plugin;
  const mutable = (call: string): void => {
    if (shared.board.frozen) throw frozen(call, name);
  };
  const running = (call: string): NonNullable<Shared['parsed']> => {
    if (shared.closed) {
      throw outOfOrder(`${name}: ${call}`, 'closed', 'Use nothing of a kernel after close().');
    }
    if (!shared.parsed) throw outOfOrder(`${name}: ${call}`, 'not configured yet', useLater);
    return shared.parsed;
  };
  return {
    name,
    hooks: shared.board.hooks,
    log: shared.log,
    get options() {
      return running('context.options').options.get(name);
    },
    get config() {
      return running('context.config').config;
    },
    provide(token, factory) {
      mutable('provide()');
      checkService(name, token, factory);
      shared.services.provide(token, name, factory);
    },
    resolve(token) {
      running(`resolve(${token.name})`);
      return shared.services.resolve(token, name);
    },
    contribute(registry, row) {
      mutable('contribute()');
      checkRow(name, registry, row);
      shared.tables.add(registry, row, name);
    },
    rows(registry) {
      running(`rows(${registry.name})`);
      return shared.tables.rows(registry);
    },
    command(spec) {
      mutable('command()');
      addCommand(name, spec, shared);
    },
    defineHook(hookName, kind, ...[phases]) {
      mutable('defineHook()');
      shared.board.define(name, hookName, kind, phases);
    },
  };
}

/** Throws LMFLOW_PLUGIN_INVALID for what is no token or no factory. */
function checkService(plugin: string, token: unknown, factory: unknown): void {
  const { name } = (token ?? {}) as { name?: unknown };
  if (typeof name !== 'string' || name === '') {
    throw pluginInvalid(
      `plugin ${plugin}`,
      'provide() needs a token',
      'Write provide(token<T>("name"), () => ...), with token() of @lmflow/sdk.',
    );
  }
  if (typeof factory !== 'function') {
    throw pluginInvalid(
      `plugin ${plugin}`,
      `provide(${name}) needs a factory, not ${kindOf(factory)}`,
      'Write provide(TOKEN, (resolve) => new Service(...)).',
    );
  }
}

/** Throws LMFLOW_PLUGIN_INVALID for what is no registry or no row. */
function checkRow(plugin: string, registry: unknown, row: unknown): void {
  const { name: table, what } = (registry ?? {}) as { name?: unknown; what?: unknown };
  if (typeof table !== 'string' || typeof what !== 'string') {
    throw pluginInvalid(
      `plugin ${plugin}`,
      'contribute() needs a registry',
      'Write contribute(ENGINES, { name: ... }), with a registry of @lmflow/sdk or of a plugin.',
    );
  }
  const { name } = (row ?? {}) as { name?: unknown };
  if (typeof name !== 'string' || name === '') {
    throw pluginInvalid(
      `plugin ${plugin}`,
      `the ${what} it contributes has no name`,
      'Give the row a name: { name: ... }.',
    );
  }
}

/** Throws LMFLOW_COMMAND_INVALID, LMFLOW_COMMAND_DUPLICATE. */
function addCommand(plugin: string, spec: CommandSpec, shared: Shared): void {
  const { name, run, summary } = (spec ?? {}) as Partial<Record<keyof CommandSpec, unknown>>;
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]*$/.test(name)) {
    throw commandInvalid(
      plugin,
      "a command's name must be a word of lower-case letters, digits and dashes",
    );
  }
  if (typeof run !== 'function') {
    throw commandInvalid(plugin, `the command ${name} has no run function`);
  }
  if (typeof summary !== 'string') {
    throw commandInvalid(plugin, `the command ${name} has no summary`);
  }
  if (shared.reserved.includes(spec.name)) throw commandDuplicate(spec.name, 'lmflow', plugin);
  const other = shared.commands.get(spec.name);
  if (other) throw commandDuplicate(spec.name, other.plugin, plugin);
  shared.commands.set(spec.name, { spec, plugin });
}
