// What a plugin and a preset are. The kernel (package lmflow) admits, orders and runs them.
import type { z } from 'zod';
import type { CommandSpec } from './command.ts';
import type { Config, PartialConfig } from './config.ts';
import type { Hooks, PhasedHook } from './hooks.ts';
import type { Refusal } from './refusal.ts';
import type { Registry, Rows } from './registry.ts';
import type { Logger } from './logger.ts';
import type { Token } from './token.ts';

/**
 * Finds a service at run time; throws LMFLOW_TOKEN_MISSING naming the token and who usually
 * provides it.
 */
export type Resolve = <T>(token: Token<T>) => T;

/**
 * The configuration keys of a plugin: one section (`lora: {...}`), or flat keys where `section` is
 * left out.
 */
export interface OptionsSpec<S extends z.ZodObject = z.ZodObject> {
  readonly section?: string;
  /** Every field has `.describe(...)`: it becomes the help text and the documentation. */
  readonly schema: S;
  /**
   * Names that people know from other tools and that are refused here, with the reason
   * (LMFLOW_OPTION_UNSUPPORTED), e.g. `{ useDora: 'DoRA comes with a later plugin' }`.
   */
  readonly unsupported?: Readonly<Record<string, Refusal>>;
  /** Other spellings: alias -> key, e.g. `{ lr: 'learningRate' }`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /**
   * Keys that exclude each other, e.g. `[['warmupSteps', 'warmupRatio']]`: one of them in a flag
   * replaces the others of a config file, one in a config file those of a preset; two from one place
   * are LMFLOW_CONFIG_INVALID.
   */
  readonly alternatives?: readonly (readonly string[])[];
}

/** What a plugin sees of the kernel. */
export interface PluginContext<O = unknown> {
  /** The plugin's name. */
  readonly name: string;
  readonly hooks: Hooks;
  readonly log: Logger;
  /**
   * The plugin's own parsed options. Readable once the kernel is configured (in taps, factories and
   * commands), not in `apply`.
   */
  readonly options: O;
  /** The whole parsed configuration; readable when `options` is. */
  readonly config: Config;
  /**
   * Registers a service. `factory` runs once, at the first resolve; an instance with `dispose()` is
   * disposed at close, in reverse order.
   */
  provide<T>(token: Token<T>, factory: (resolve: Resolve) => T): void;
  readonly resolve: Resolve;
  /** Adds a row to a table that others read: an engine, an optimizer, a format, ... */
  contribute<R extends { readonly name: string }>(registry: Registry<R>, row: R): void;
  /** The rows of a table, from all plugins; readable when `options` is. */
  rows<R extends { readonly name: string }>(registry: Registry<R>): Rows<R>;
  /** Adds a subcommand of `lmflow`. */
  command<S extends z.ZodObject>(spec: CommandSpec<S>): void;
  /**
   * Adds a hook declared by merging into `Hooks`; its kind is that of the declared type, e.g.
   * 'series' for AsyncSeriesHook. A phased hook names its phases.
   */
  defineHook<K extends keyof Hooks>(
    name: K,
    kind: Hooks[K]['kind'],
    ...phases: Hooks[K] extends PhasedHook<never[], infer P> ? [readonly P[]] : []
  ): void;
}

/** A plugin as the kernel takes it: what a factory of `definePlugin` returns. */
export interface Plugin {
  /** The npm package name, also the name of its taps. */
  readonly name: string;
  readonly version: string;
  /** Range of @lmflow/sdk versions it works with, checked before `apply`. */
  readonly sdk: string;
  /** Plugins that must be loaded before it. */
  readonly requires?: readonly string[];
  readonly options?: OptionsSpec;
  /** Options given to the factory: stronger than the config file, weaker than flags. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Taps hooks, registers services, contributes commands; does no work yet. */
  apply(context: PluginContext): void;
}

/**
 * A named list of plugins and configuration; data only. A later plugin of the same name replaces an
 * earlier one in place.
 */
export interface Preset {
  readonly name: string;
  readonly version?: string;
  readonly plugins: readonly (Pluggable | InferenceOnly)[];
  readonly config?: PartialConfig;
}

/**
 * What a configuration may list: an object, a factory without arguments, the name of a package that
 * exports one of them, or a falsy value (skipped).
 */
export type Pluggable =
  Plugin | Preset | (() => Plugin | Preset) | string | false | null | undefined;

/** A plugin that a preset brings to read and use what it made, not to train with it. */
export interface InferenceOnly {
  readonly inferenceOnly: Pluggable;
}

/**
 * In a preset: the plugin's taps of onModelLoad do not run for models that are trained, unless
 * another preset or the user lists the plugin as well.
 */
export function forInference(plugin: Pluggable): InferenceOnly {
  return { inferenceOnly: plugin };
}

/** A plugin before its factory was called. */
export interface PluginDefinition<S extends z.ZodObject> {
  readonly name: string;
  readonly version: string;
  readonly sdk: string;
  readonly requires?: readonly string[];
  readonly options?: OptionsSpec<S>;
  apply(context: PluginContext<z.output<S>>): void;
}

/** A plugin's factory: `lora()` or `lora({ r: 16 })`. A package's default export. */
export type PluginFactory<S extends z.ZodObject> = (options?: z.input<S>) => Plugin;

/**
 * Defines a plugin and returns its factory. The kernel checks options after merging, so that an error
 * can say where a value came from.
 */
export function definePlugin<S extends z.ZodObject>(
  definition: PluginDefinition<S>,
): PluginFactory<S> {
  return (options) => ({ ...definition, ...(options ? { given: options } : {}) });
}

/** Defines a preset (identity, for its type). */
export function definePreset(preset: Preset): Preset {
  return preset;
}
