// Which modules an option names, by PEFT's rules: a list matches whole names or ends after a dot, a
// string is a regular expression for the whole path.
import type { LinearLayer } from '@lmflow/sdk/model';
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
    const unused = Object.keys(options[option]).find(
      (key) => !chosen.some(({ name }) => named(option, key).test(name)),
    );
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
  const found = texts.map((text) => {
    const whole =
      typeof setting === 'string' ? expression(option, text, `^(?:${text})$`) : undefined;
    return linears.filter(
      ({ name }) => whole?.test(name) ?? (name === text || name.endsWith(`.${text}`)),
    );
  });
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
 * The number a pattern gives a module (the first key that matches the end of its path), or the
 * default.
 */
export function byPattern(
  option: string,
  patterns: Readonly<Record<string, number>>,
  name: string,
  otherwise: number,
): number {
  const key = Object.keys(patterns).find((pattern) => named(option, pattern).test(name));
  return key === undefined ? otherwise : patterns[key]!;
}

const named = (option: string, pattern: string): RegExp =>
  expression(option, pattern, `^(?:.*\\.)?(?:${pattern})$`);

function expression(option: string, pattern: string, source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    throw invalidPattern(option, pattern, cause);
  }
}
