// Which modules an option names, by PEFT's rules: a list matches whole names or ends after a dot, a
// string is a regular expression for the whole path.
import { matchExpressions, type ExpressionMatch, type LinearLayer } from '@lmflow/sdk/model';
import { invalidPattern, noTargets, unknownLayer, unknownModule } from './errors.ts';
import type { LoraOptions } from './options.ts';

/**
 * The linears to adapt. Throws LMFLOW_LORA_NO_TARGETS where there is none, and
 * LMFLOW_LORA_UNKNOWN_MODULE or _LAYER for a name, pattern or block that the model does not have.
 */
export function targetLinears(
  linears: readonly LinearLayer[],
  options: LoraOptions,
): LinearLayer[] {
  const { targetModules, excludeModules, layersToTransform } = options;
  const wanted =
    targetModules === 'all-linear'
      ? linears.filter(({ layer }) => layer !== undefined)
      : matching('targetModules', targetModules, linears);
  if (wanted.length === 0) {
    throw noTargets(
      `lora.targetModules: ${JSON.stringify(targetModules)} matches no module of the model`,
      endings(linears),
    );
  }
  const excluded =
    excludeModules === undefined ? [] : matching('excludeModules', excludeModules, linears);
  const layer = layersToTransform?.find((index) =>
    linears.every((linear) => linear.layer !== index),
  );
  if (layer !== undefined) {
    throw unknownLayer(layer, Math.max(...linears.map((linear) => linear.layer ?? 0)));
  }
  const chosen = wanted.filter(
    (linear) =>
      !excluded.includes(linear) &&
      (layersToTransform === undefined ||
        (linear.layer !== undefined && layersToTransform.includes(linear.layer))),
  );
  if (chosen.length === 0) {
    const limits = [
      ...(excludeModules ? ['lora.excludeModules'] : []),
      ...(layersToTransform ? ['lora.layersToTransform'] : []),
    ].join(' and ');
    throw noTargets(`no module of lora.targetModules is left after ${limits}`, endings(linears));
  }
  for (const option of ['rankPattern', 'alphaPattern'] as const) {
    const names = chosen.map(({ name }) => name);
    const keys = Object.keys(options[option]);
    const found = patternMatches(option, keys, names);
    const unused = keys.find((_, key) => !found[key]!.some(Boolean));
    if (unused !== undefined) throw unknownModule(option, unused, endings(chosen));
  }
  return chosen;
}

/**
 * The linears that an option names. Throws LMFLOW_LORA_UNKNOWN_MODULE for a pattern of excludeModules
 * that matches none, and for one of several in targetModules.
 */
function matching(
  option: 'targetModules' | 'excludeModules',
  setting: string | readonly string[],
  linears: readonly LinearLayer[],
): LinearLayer[] {
  const texts = typeof setting === 'string' ? [setting] : setting;
  const names = linears.map(({ name }) => name);
  const whole =
    typeof setting === 'string'
      ? matches(option, [setting], (text) => `^(?:${text})$`, names)
      : undefined;
  const found = texts.map((text) =>
    linears.filter(({ name }, index) =>
      whole ? whole[0]![index] : name === text || name.endsWith(`.${text}`),
    ),
  );
  const unused = found.findIndex((layers) => layers.length === 0);
  const all = new Set(found.flat());
  if (unused >= 0 && (option === 'excludeModules' || all.size > 0)) {
    throw unknownModule(option, texts[unused]!, endings(linears));
  }
  return linears.filter((linear) => all.has(linear));
}

const endings = (linears: readonly LinearLayer[]): string[] => [
  ...new Set(linears.map(({ name }) => name.split('.').at(-1)!)),
];

/**
 * The number that the patterns give each module: of the first key that matches the end of its path.
 * `file` is where they come from, where it is a file.
 */
export function byPattern(
  option: 'rankPattern' | 'alphaPattern',
  patterns: Readonly<Record<string, number>>,
  names: readonly string[],
  file?: string,
): ReadonlyMap<string, number> {
  const keys = Object.keys(patterns);
  const found = patternMatches(option, keys, names, file);
  return new Map(
    names.flatMap((name, index) => {
      const key = found.findIndex((matched) => matched[index]);
      return key < 0 ? [] : [[name, patterns[keys[key]!]!] as const];
    }),
  );
}

const patternMatches = (
  option: 'rankPattern' | 'alphaPattern',
  keys: readonly string[],
  names: readonly string[],
  file?: string,
): Matches => matches(option, keys, (key) => `^(?:.*\\.)?(?:${key})$`, names, file);

type Matches = readonly (readonly ExpressionMatch[])[];

const KEYS = {
  targetModules: 'target_modules',
  excludeModules: 'exclude_modules',
  rankPattern: 'rank_pattern',
  alphaPattern: 'alpha_pattern',
} as const;

/** Throws LMFLOW_LORA_INVALID_PATTERN and LMFLOW_EXPRESSION_TOO_SLOW. */
function matches(
  option: keyof typeof KEYS,
  patterns: readonly string[],
  whole: (pattern: string) => string,
  names: readonly string[],
  file?: string,
): Matches {
  for (const pattern of patterns) {
    try {
      new RegExp(pattern);
    } catch (cause) {
      throw invalidPattern(option, pattern, cause);
    }
  }
  const key = file === undefined ? `lora.${option}` : KEYS[option];
  return matchExpressions(patterns.map(whole), names, { key, file });
}
