// Which linears an adapter's settings name, by PEFT's rules: a list matches whole names or ends after
// a dot, a string is a regular expression for the whole path.
import { dirname, join } from 'node:path';
import { isLMFlowError } from '../errors.ts';
import { matchExpressions, type ExpressionPlace, type LinearLayer } from '../model/index.ts';
import { adapterDoesNotFit, tensorsMissing } from './errors.ts';
import { CONFIG_FILE, type AdapterConfig } from './folder.ts';

/** Which modules an adapter's settings name, by PEFT's rules. */
export interface NamedModules {
  readonly targets: string | readonly string[] | undefined;
  readonly excluded: string | readonly string[] | undefined;
  readonly layers: readonly number[] | undefined;
  readonly layersPattern: readonly string[];
}

/** What `target_modules` and the settings that narrow it down say. */
export function namedModules(config: AdapterConfig): NamedModules {
  return {
    targets: (config['target_modules'] as NamedModules['targets'] | null) ?? undefined,
    excluded: (config['exclude_modules'] as NamedModules['targets'] | null) ?? undefined,
    layers: listOf(config['layers_to_transform'] as number | number[] | null),
    layersPattern: listOf(config['layers_pattern'] as string | string[] | null) ?? [],
  };
}

function listOf<T>(value: T | readonly T[] | null | undefined): readonly T[] | undefined {
  if (value === null || value === undefined) return undefined;
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/**
 * The linears that an adapter's settings name, by PEFT's rules; undefined where they are an
 * expression that only Python understands. `from` is the file, or the option that names the targets.
 * Throws LMFLOW_EXPRESSION_TOO_SLOW.
 */
export function namedLinears(
  linears: readonly LinearLayer[],
  { targets = [], excluded = [], layers, layersPattern }: NamedModules,
  from: { readonly file: string } | { readonly option: string },
): LinearLayer[] | undefined {
  const names = linears.map(({ name }) => name);
  const place = (key: string): ExpressionPlace =>
    'file' in from ? { file: from.file, key } : { key: from.option };
  try {
    const isTarget =
      targets === 'all-linear'
        ? linears.map(({ layer }) => layer !== undefined)
        : chosen(names, targets, place('target_modules'));
    const isExcluded = chosen(names, excluded, place('exclude_modules'));
    const inLayers = chosenLayers(names, layers ?? [], layersPattern, place('layers_pattern'));
    return linears.filter((_, index) => isTarget[index] && !isExcluded[index] && inLayers[index]);
  } catch (error) {
    if (isLMFlowError(error)) throw error;
    return undefined;
  }
}

/** For each name, whether a setting names it. */
function chosen(
  names: readonly string[],
  setting: string | readonly string[],
  place: ExpressionPlace,
): readonly boolean[] {
  if (typeof setting !== 'string') {
    return names.map((name) => setting.some((text) => name === text || name.endsWith(`.${text}`)));
  }
  const [found] = matchExpressions([`^(?:${setting})$`], names, place);
  return found!.map((match) => match !== undefined);
}

/** For each name, whether it is in one of the layers; no layers: all. */
function chosenLayers(
  names: readonly string[],
  layers: readonly number[],
  layersPattern: readonly string[],
  place: ExpressionPlace,
): readonly boolean[] {
  if (layers.length === 0) return names.map(() => true);
  const patterns = layersPattern.length > 0 ? layersPattern : ['[^.]*'];
  const sources = patterns.map((pattern) => `.*\\.${pattern}\\.(\\d+)\\.`);
  const found = matchExpressions(sources, names, place);
  return names.map((_, index) => {
    const [, layer] = found.map((matches) => matches[index]).find((match) => match) ?? [];
    return layer !== undefined && layers.includes(Number(layer));
  });
}

/** What `adaptedLinears` finds linears by. */
export interface AdaptedNames {
  /** Modules that the file has tensors for. */
  readonly names: ReadonlySet<string>;
  /** What its settings name. */
  readonly modules: NamedModules;
  /** Weights that are trained whole, which win over the settings as in PEFT. */
  readonly whole?: ReadonlySet<string>;
  /** The file of the tensors, for messages; the settings are beside it. */
  readonly file: string;
}

/**
 * The linears that a file has tensors for: all that its settings name, and no others. Throws
 * LMFLOW_ADAPTER_MISMATCH where the model lacks one, LMFLOW_ADAPTER_INCOMPLETE where the file does,
 * and LMFLOW_EXPRESSION_TOO_SLOW.
 */
export function adaptedLinears(
  linears: readonly LinearLayer[],
  { names, modules, whole = new Set(), file }: AdaptedNames,
): LinearLayer[] {
  const layers = linears.filter(({ name }) => names.has(name));
  const unknown = [...names].find((name) => layers.every((layer) => layer.name !== name));
  if (unknown !== undefined) {
    throw adapterDoesNotFit(file, `it adapts ${unknown}, which the model does not have`);
  }
  const missing = (namedLinears(linears, modules, { file: join(dirname(file), CONFIG_FILE) }) ?? [])
    .filter(({ name, weight }) => !names.has(name) && !whole.has(weight))
    .map(({ name }) => name);
  if (missing.length > 0) throw tensorsMissing(file, missing, names.size === 0);
  return layers;
}

/**
 * The shortest names that choose exactly these linears: last parts where they are all adapted,
 * whole paths otherwise.
 */
export function shortestNames(
  linears: readonly LinearLayer[],
  layers: readonly LinearLayer[],
): string[] {
  const last = (layer: LinearLayer): string => layer.name.split('.').at(-1)!;
  const chosen = new Set(layers.map(({ name }) => name));
  const complete = new Set(
    layers
      .map(last)
      .filter((ending) =>
        linears.every((layer) => last(layer) !== ending || chosen.has(layer.name)),
      ),
  );
  return [
    ...complete,
    ...layers.filter((layer) => !complete.has(last(layer))).map(({ name }) => name),
  ].sort();
}
