// The keys of a configuration. Core keys are here; every plugin adds its own by declaration merging
// into ConfigSections. What a file adds to them is in user-config.ts.

/**
 * One dataset: a path, a Hugging Face id, or an object with details. The datasets plugin documents
 * the object.
 */
export type DatasetSetting = string | Readonly<Record<string, unknown>>;

/** Keys the kernel itself knows. */
export interface CoreConfig {
  /** Hugging Face folder or id of the model. */
  model?: string;
  /** Data to train on: a file, a folder, a Hugging Face id, or a list of them with weights. */
  dataset?: DatasetSetting | readonly DatasetSetting[];
  /** Where results are written. */
  outputDir?: string;
  /** Compute engine, by name. */
  engine?: string;
  /** Device of the engine: cpu, webgpu, cuda, ... */
  device?: string;
  /** Compare a device other than the CPU with the CPU before its results are used. */
  deviceCheck?: boolean;
  /** Seed of everything random. */
  seed?: number;
}

/**
 * Keys that plugins add: `declare module '@lmflow/sdk' { interface ConfigSections { lora?:
 * LoraOptions } }`.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- open for declaration merging
export interface ConfigSections {}

/**
 * A configuration after merging. Keys of plugins whose types are not loaded are reachable as
 * unknown.
 */
export interface Config extends CoreConfig, ConfigSections {
  readonly [key: string]: unknown;
}

/** A part of a configuration, as presets and the parts of a merge have it. */
export type PartialConfig = Partial<CoreConfig> &
  Partial<ConfigSections> &
  Readonly<Record<string, unknown>>;
