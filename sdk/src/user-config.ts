// The shape of lmflow.config.ts: the keys of a configuration, and what is loaded.
import type { PartialConfig } from './config.ts';
import type { Pluggable } from './plugin.ts';

/** What a user writes: configuration plus what is loaded. */
export type UserConfig = PartialConfig & {
  readonly presets?: readonly Pluggable[];
  readonly plugins?: readonly Pluggable[];
};

/** A config file exports an object, a promise of one, or a function that returns either. */
export type UserConfigExport =
  UserConfig | Promise<UserConfig> | (() => UserConfig | Promise<UserConfig>);

/** Types a configuration (identity). */
export function defineConfig<C extends UserConfigExport>(config: C): C {
  return config;
}
