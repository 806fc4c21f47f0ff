// From merged settings to the parsed configuration: each owner's schema once, all wrong values in one
// error.
import type { Config } from '@lmflow/sdk';
import { configInvalid } from '../errors.ts';
import { describeIssues } from './issues.ts';
import { pathOf, type Group, type KeyTable } from './keys.ts';
import type { Settings } from './layers.ts';

/** Origin of values that come from the schema. */
const defaultOrigin = 'default';

/** The configuration after parsing. */
export interface Parsed {
  /** Frozen, with every default. */
  readonly config: Config;
  /** Parsed options of each plugin that has any, by plugin name. */
  readonly options: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** Parsed values by path, with their origin; keys without a value are absent. */
  readonly settings: Settings;
}

/**
 * Parses settings. Throws LMFLOW_CONFIG_INVALID with a line for each value that breaks its rule.
 */
export function parseSettings(raw: Settings, table: KeyTable): Parsed {
  const config: Record<string, unknown> = {};
  const options = new Map<string, Readonly<Record<string, unknown>>>();
  const settings: Settings = new Map();
  const lines: string[] = [];
  for (const group of table.groups) {
    const parsed = group.spec.schema.safeParse(valuesOf(group, raw), { reportInput: true });
    if (!parsed.success) {
      lines.push(...describeIssues(parsed.error.issues, group, raw));
      continue;
    }
    const values = deepFreeze(parsed.data);
    options.set(group.owner, values);
    if (group.section === undefined) Object.assign(config, values);
    else config[group.section] = values;
    for (const [key, value] of Object.entries(values)) {
      const path = pathOf(group.section, key);
      if (value !== undefined) {
        settings.set(path, { value, origin: raw.get(path)?.origin ?? defaultOrigin });
      }
    }
  }
  if (lines.length > 0) throw configInvalid(lines);
  return { config: Object.freeze(config), options, settings };
}

function valuesOf(group: Group, raw: Settings): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const prefix = group.section === undefined ? '' : `${group.section}.`;
  if (group.section === undefined) for (const key of group.keys.keys()) take(key, key);
  else {
    for (const path of raw.keys()) {
      if (path.startsWith(prefix)) take(path, path.slice(prefix.length));
    }
  }
  return values;

  function take(path: string, key: string): void {
    const setting = raw.get(path);
    if (setting) values[key] = setting.value;
  }
}

function deepFreeze<T>(value: T): T {
  if (
    typeof value === 'object' &&
    value !== null &&
    !Object.isFrozen(value) &&
    (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)
  ) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
