// Layers of configuration: raw values from one origin each, put one over the other by key. Nothing
// is parsed here.
import { isDeepStrictEqual } from 'node:util';
import type { Config, LMFlowError } from '@lmflow/sdk';
import {
  alternativesGiven,
  configNotAnObject,
  givenTwice,
  keysRefused,
  optionUnsupported,
  sectionInvalid,
  unknownKey,
} from '../errors.ts';
import { pathOf, type Group, type KeyTable } from './keys.ts';
import { camel } from './names.ts';
import { isAccepted, reasonOf } from './refusals.ts';
import { suggestKey } from './suggest.ts';

/** A raw value and where it came from: `lmflow.config.ts`, `preset X`, `--lora-r`, `default`. */
export interface Setting {
  readonly value: unknown;
  readonly origin: string;
}

/** Settings by path (`learningRate`, `lora.r`). */
export type Settings = Map<string, Setting>;

/**
 * Values from one origin; `plugin` is set where they are one plugin's own keys without the section
 * around them.
 */
export interface Layer {
  readonly origin: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly plugin?: string;
}

/** Whether a value is a plain object (not an instance of a class, not a list). */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // a config loaded in another realm has another Object.prototype, whose prototype is null too
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A copy of plain objects and lists, all the way down; instances and functions stay themselves. */
function clonePlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clonePlain);
  if (isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, clonePlain(inner)]),
    );
  }
  return value;
}

/** The state of reading one layer. */
interface Reading {
  readonly origin: string;
  readonly table: KeyTable;
  readonly settings: Settings;
  /** By path, the name as it was written. */
  readonly written: Map<string, string>;
  /** Keys that are unknown or refused, reported together, so that one run shows all of them. */
  readonly refused: LMFlowError[];
}

/** A layer's values by path. Throws for keys that are unknown, refused, or given twice. */
export function readLayer(layer: Layer, table: KeyTable): Settings {
  const { origin, values } = layer;
  if (!isPlain(values)) throw configNotAnObject(origin, values);
  const reading: Reading = { origin, table, settings: new Map(), written: new Map(), refused: [] };
  const { refused } = reading;
  if (layer.plugin !== undefined) {
    const group = table.groups.find(({ owner }) => owner === layer.plugin);
    if (group) readGroup(group, values, reading);
    else {
      refused.push(
        ...Object.keys(values).map((key) =>
          unknownKey(key, origin, `Leave it out: ${layer.plugin} has no options.`),
        ),
      );
    }
  } else {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) continue;
      // other tools write `load_in_4bit`, where `loadIn4bit` is refused
      const other = table.names.get(camel(name));
      const meaning = table.names.get(name) ?? (other?.kind === 'unsupported' ? other : undefined);
      if (meaning === undefined) refused.push(unknownKey(name, origin, suggestKey(name, table)));
      else if (meaning.kind === 'unsupported') {
        if (isAccepted(meaning.refusal, value, table)) continue;
        refused.push(optionUnsupported(meaning.name, origin, reasonOf(meaning.refusal)));
      } else if (meaning.kind === 'key') put(meaning.key.path, name, value, reading);
      else readValueOf(meaning.group, value, reading);
    }
  }
  if (refused.length > 0) throw keysRefused(refused);
  return reading.settings;
}

/**
 * One section's value from one origin, by path: an object, true, or false. Throws like readLayer.
 */
export function readSection(
  group: Group,
  value: unknown,
  origin: string,
  table: KeyTable,
): Settings {
  const reading: Reading = { origin, table, settings: new Map(), written: new Map(), refused: [] };
  readValueOf(group, value, reading);
  if (reading.refused.length > 0) throw keysRefused(reading.refused);
  return reading.settings;
}

// `lora: true` (or false) for the section's key `enabled`; true is all defaults where there is
// none.
function readValueOf(group: Group, value: unknown, reading: Reading): void {
  const section = group.section!;
  const hasSwitch = group.keys.has('enabled');
  if (isPlain(value)) readGroup(group, value, reading);
  else if (typeof value === 'boolean' && hasSwitch) {
    put(pathOf(section, 'enabled'), section, value, reading);
  } else if (value !== true) throw sectionInvalid(section, value, reading.origin, hasSwitch);
}

function readGroup(
  group: Group,
  values: Readonly<Record<string, unknown>>,
  reading: Reading,
): void {
  const { section, spec } = group;
  const { origin, table, refused } = reading;
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const path = pathOf(section, name);
    const target = group.keys.has(name) ? name : ownOf(spec.aliases, name);
    const refusal = target === undefined ? ownOf(spec.unsupported, camel(name)) : undefined;
    if (target !== undefined) put(pathOf(section, target), path, value, reading);
    else if (refusal !== undefined) {
      if (isAccepted(refusal, value, table)) continue;
      refused.push(optionUnsupported(path, origin, reasonOf(refusal)));
    } else if (group.open) put(path, path, value, reading);
    else refused.push(unknownKey(path, origin, suggestKey(name, table, group)));
  }
}

// Not `record[name]`: a key named "constructor" would find Object's.
function ownOf<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}

function put(
  path: string,
  name: string,
  value: unknown,
  { origin, settings, written }: Reading,
): void {
  const first = written.get(path);
  if (first !== undefined) throw givenTwice(first, name, origin);
  written.set(path, name);
  settings.set(path, { value: clonePlain(value), origin });
}

/** Later layers win, key by key; a later key also removes its alternatives. */
export function mergeSettings(layers: readonly Settings[], table: KeyTable): Settings {
  const merged: Settings = new Map();
  for (const layer of layers) {
    for (const [path, setting] of layer) {
      for (const other of alternativesOf(path, table)) {
        const rival = layer.get(other);
        if (rival !== undefined) {
          throw alternativesGiven({ path, ...setting }, { path: other, ...rival });
        }
        merged.delete(other);
      }
      merged.set(path, setting);
    }
  }
  return merged;
}

function alternativesOf(path: string, { byPath }: KeyTable): readonly string[] {
  const key = byPath.get(path);
  const { section, spec } = key?.group ?? {};
  const paths =
    spec?.alternatives
      ?.map((names) => names.map((name) => pathOf(section, name)))
      .find((names) => names.includes(path)) ?? [];
  return paths.filter((other) => other !== path);
}

/** Settings as the object people write, a copy. */
export function toConfig(settings: Settings, table: KeyTable): Config {
  const config: Record<string, unknown> = {};
  for (const [path, { value }] of settings) {
    const group = groupOfPath(path, table);
    if (group.section === undefined) config[path] = clonePlain(value);
    else {
      ((config[group.section] ??= {}) as Record<string, unknown>)[
        path.slice(group.section.length + 1)
      ] = clonePlain(value);
    }
  }
  return config;
}

function groupOfPath(path: string, table: KeyTable): Group {
  return (
    table.byPath.get(path)?.group ??
    table.groups.find(({ section }) => section !== undefined && path.startsWith(`${section}.`))!
  );
}

/**
 * `before` with what `after` has changed, added and removed; what did not change keeps its origin.
 */
export function withChanges(before: Settings, after: Settings): Settings {
  return new Map(
    [...after].map(([path, setting]) => {
      const old = before.get(path);
      return [
        path,
        old !== undefined && isDeepStrictEqual(old.value, setting.value) ? old : setting,
      ];
    }),
  );
}
