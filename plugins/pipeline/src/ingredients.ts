// What a stage is made of: its settings with their references replaced, the files that it reads, the
// stages that it follows.
import { existsSync } from 'node:fs';
import { isAbsolute, resolve, sep } from 'node:path';
import { digestOf, factsOf, hashOf } from './digests.ts';
import { inputMissing } from './errors.ts';
import type { StageSetting } from './options.ts';
import type { Ingredients } from './records.ts';
import { isPlain, PREVIOUS, replaced, withStrings, type Names } from './references.ts';

/** Alone in a setting it is a number. */
const ROUND = '${round}';

/** A stage that has run, or that is fresh. */
export interface Made {
  readonly folder: string;
  /** Of its files. */
  readonly digest: string;
}

/** A stage with nothing left to replace. */
export interface ReadyStage {
  readonly stage: StageSetting;
  readonly ingredients: Ingredients;
}

/** What is known where a stage stands. */
export interface Known {
  readonly names: Names;
  /** By the names that settings use: `sft`, `previous.model`. */
  readonly made: ReadonlyMap<string, Made>;
  /** Where all stages have their folders. */
  readonly root: string;
  /** Keys that a stage has unless it says otherwise. */
  readonly shared: Readonly<Record<string, unknown>>;
}

/** Throws LMFLOW_PIPELINE_NOT_MADE and _INPUT. */
export async function readyStage(setting: StageSetting, known: Known): Promise<ReadyStage> {
  const { names, made, root, shared } = known;
  const used = new Set<string>();
  const { if: _asked, ...rest } = setting;
  const stage = withStrings(rest, (text) => {
    if (text === ROUND) return Number(names.values.get('round'));
    const whole = replaced(text, names, (name) => used.add(name));
    // `${previous.model:-}`: in the first round the key is not given
    return whole === '' && text !== '' ? undefined : whole;
  }) as StageSetting;
  const { config, command, presets, plugins, options, arguments: words } = stage;
  const whole = { ...stage, config: { ...shared, ...config } };
  for (const path of stage.inputs ?? []) {
    if (!existsSync(path)) throw inputMissing(stage.name, path);
  }
  const paths = new Set<string>(stage.inputs);
  const files = [presets, plugins].map((list) =>
    list?.filter((one) => typeof one === 'string' && /^[./]/.test(one)),
  );
  for (const path of pathsIn([config, options, words, files])) paths.add(path);
  const inputs: [string, string][] = [];
  for (const path of [...paths].sort()) {
    // what stages made has a digest of its own
    if (!isInside(path, root)) inputs.push([path, digestOf(await factsOf(path))]);
  }
  const follows = [...used].filter((name) => made.has(name)).sort();
  return {
    stage: whole,
    ingredients: {
      settings: hashOf(identity([command, presets, plugins, whole.config, words, options])),
      inputs: Object.fromEntries(inputs),
      stages: Object.fromEntries(follows.map((name) => [name, made.get(name)!.digest])),
    },
  };
}

/** Names of stages -> folders, as settings may use them. */
export function foldersOf(made: ReadonlyMap<string, Made>): [string, string][] {
  return [...made].map(([name, { folder }]) => [name, folder]);
}

/** Those of the round before, under the names that settings use for them. */
export function previousOf(made: ReadonlyMap<string, Made>): [string, Made][] {
  return [...made].map(([name, one]) => [`${PREVIOUS}${name}`, one]);
}

/** Keys of what a command writes. */
const WRITTEN = /^(output|outputDir|\w*[cC]acheDir)$/;

/** Files and folders that settings name, and that are there. */
function pathsIn(value: unknown): string[] {
  if (typeof value === 'string') return value !== '' && existsSync(value) ? [value] : [];
  if (Array.isArray(value)) return value.flatMap(pathsIn);
  if (!isPlain(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => (WRITTEN.test(key) ? [] : pathsIn(inner)));
}

function isInside(path: string, folder: string): boolean {
  const full = isAbsolute(path) ? path : resolve(path);
  return full === resolve(folder) || full.startsWith(resolve(folder) + sep);
}

/** A value as text: functions by what they say, presets and plugins by name, keys in order. */
function identity(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'function') return `function ${String(inner)}`;
    if (!isPlain(inner)) return inner;
    if (typeof inner['apply'] === 'function') {
      return { name: inner['name'], version: inner['version'], given: inner['given'] };
    }
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
