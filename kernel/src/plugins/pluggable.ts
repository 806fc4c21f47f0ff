// From what a configuration lists (objects, factories, names, presets inside presets) to a flat
// list of admitted plugins, with the layers of configuration that presets and factory arguments
// bring. A later plugin of the same name takes the earlier one's place.
import type { InferenceOnly, Plugin, Preset } from '@lmflow/sdk';
import { isLMFlowError } from '@lmflow/sdk';
import {
  leftOutMissing,
  pluginDuplicate,
  pluginInvalid,
  pluginLoadFailed,
  presetInvalid,
} from '../errors.ts';
import type { Layer } from '../settings/layers.ts';
import { sdkVersion } from '../versions.ts';
import { admitPlugin, admitPreset, isClass, isPreset } from './admission.ts';
import { candidates, importNamed, type ListKind } from './packages.ts';

const rank = { preset: 0, user: 1, argument: 2 } as const;

/** Collects plugins list by list. */
export class PluginList {
  readonly #entries = new Map<string, Plugin>();
  readonly #layers: { readonly layer: Layer; readonly rank: number; readonly plugin?: Plugin }[] =
    [];
  readonly #presets: Preset[] = [];
  /** Names of plugins that somebody lists for training too. */
  readonly #unrestricted = new Set<string>();
  readonly #directory: string;

  /** `directory` is where names are resolved from and paths start. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** In the order of the lists, each name once. */
  get plugins(): Plugin[] {
    return [...this.#entries.values()];
  }

  /** Names of plugins that only presets list, and only for inference. */
  get inferenceOnly(): ReadonlySet<string> {
    return new Set([...this.#entries.keys()].filter((name) => !this.#unrestricted.has(name)));
  }

  get presets(): readonly Preset[] {
    return this.#presets;
  }

  /**
   * Layers from the weakest on: presets' (with the arguments they give), the user's values, the
   * user's arguments. Those of a replaced plugin are gone.
   */
  get layers(): Layer[] {
    return this.#layers
      .filter(({ plugin }) => plugin === undefined || this.#entries.get(plugin.name) === plugin)
      .sort((a, b) => a.rank - b.rank)
      .map(({ layer }) => layer);
  }

  /** Puts in the user's values. */
  addValues(layer: Layer): void {
    this.#layers.push({ layer, rank: rank.user });
  }

  /** Adds what one list names. `from` is the list's origin, for messages: `lmflow.config.ts`. */
  async add(
    items: readonly unknown[],
    kind: ListKind,
    from: string,
    inside: readonly string[] = [],
  ): Promise<void> {
    const seen = new Set<string>();
    for (const [index, item] of (items as unknown[]).flat(Infinity).entries()) {
      if (item === false || item === null || item === undefined || item === '') continue;
      const where = `entry ${index + 1} of ${kind}s in ${from}`;
      if (typeof item === 'string' && item.startsWith('!')) {
        this.#leaveOut(item.slice(1), from);
        continue;
      }
      const limited = isInferenceOnly(item);
      const listed = limited ? item.inferenceOnly : item;
      const { value } = await this.#resolve(listed, kind, where, from);
      if (typeof value === 'object' && value !== null && isPreset(value)) {
        await this.#addPreset(value, inside);
      } else {
        const plugin = admitPlugin(value, where, sdkVersion);
        if (seen.has(plugin.name)) throw pluginDuplicate(plugin.name, from);
        seen.add(plugin.name);
        this.#entries.set(plugin.name, plugin);
        if (!limited) this.#unrestricted.add(plugin.name);
        if (plugin.given) {
          this.#layers.push({
            layer: {
              origin: `arguments of ${plugin.name} in ${from}`,
              values: plugin.given,
              plugin: plugin.name,
            },
            plugin,
            rank: inside.length > 0 ? rank.preset : rank.argument,
          });
        }
      }
    }
  }

  /** Takes out what a list before this one brought: `!flash-attention`. */
  #leaveOut(name: string, from: string): void {
    const found = candidates(name, 'plugin').find((candidate) => this.#entries.has(candidate));
    if (found === undefined) throw leftOutMissing(name, from, [...this.#entries.keys()]);
    this.#entries.delete(found);
    this.#unrestricted.delete(found);
  }

  async #addPreset(value: Preset, inside: readonly string[]): Promise<void> {
    const preset = admitPreset(value);
    if (inside.includes(preset.name)) throw presetInvalid(preset.name, 'it contains itself');
    await this.add(preset.plugins, 'plugin', `preset ${preset.name}`, [...inside, preset.name]);
    if (preset.config) {
      this.#layers.push({
        layer: { origin: `preset ${preset.name}`, values: preset.config },
        rank: rank.preset,
      });
    }
    this.#presets.push(preset);
  }

  // In an object, so that a promise in the list stays a promise here and is refused.
  async #resolve(
    item: unknown,
    kind: ListKind,
    where: string,
    from: string,
  ): Promise<{ readonly value: unknown }> {
    let value = item;
    if (typeof value === 'string') value = await importNamed(value, kind, this.#directory, from);
    if (typeof value !== 'function') return { value };
    const factory = value as () => unknown;
    const named = typeof item === 'string' ? `"${item}"` : where;
    if (isClass(factory)) {
      throw pluginInvalid(
        named,
        `the class ${factory.name} is not a plugin`,
        'Write export default definePlugin({ ... }), or list an object.',
      );
    }
    let made: unknown;
    try {
      made = factory();
    } catch (error) {
      throw isLMFlowError(error)
        ? error
        : pluginLoadFailed(typeof item === 'string' ? item : where, error);
    }
    if (typeof made === 'function') {
      throw pluginInvalid(named, 'the factory returned another function, not a plugin');
    }
    if (made === undefined) {
      throw pluginInvalid(
        named,
        'the factory returned nothing',
        'Return a plugin or a preset from the factory.',
      );
    }
    return { value: made };
  }
}

function isInferenceOnly(item: unknown): item is InferenceOnly {
  return typeof item === 'object' && item !== null && 'inferenceOnly' in item;
}
