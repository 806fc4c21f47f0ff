// Which modules a setting names, by PEFT's rules: a list matches whole names or ends after a dot, a string is a regular expression for the whole path.
import type { LinearLayer } from '@lmflow/sdk';
import { invalidPattern, noTargets } from './errors.ts';
import type { LoraOptions } from './options.ts';

/** The linears to adapt; throws LMFLOW_LORA_NO_TARGETS where none matches. */
export function targetLinears(linears: readonly LinearLayer[], options: LoraOptions): LinearLayer[] {
  const { targetModules, excludeModules, layersToTransform } = options;
  const wanted = targetModules === 'all-linear' ? (layer: LinearLayer): boolean => layer.layer !== undefined : matcher('targetModules', targetModules);
  const excluded = excludeModules === undefined ? (): boolean => false : matcher('excludeModules', excludeModules);
  const chosen = linears.filter((layer) => wanted(layer) && !excluded(layer)
    && (layersToTransform === undefined || (layer.layer !== undefined && layersToTransform.includes(layer.layer))));
  if (chosen.length === 0) throw noTargets(JSON.stringify(targetModules), [...new Set(linears.map((layer) => layer.name.split('.').at(-1)!))]);
  return chosen;
}

function matcher(option: string, setting: string | readonly string[]): (layer: LinearLayer) => boolean {
  if (typeof setting !== 'string') return ({ name }) => setting.some((ending) => name === ending || name.endsWith(`.${ending}`));
  const whole = expression(option, setting, `^(?:${setting})$`);
  return ({ name }) => whole.test(name);
}

/** The number a pattern gives a module (the first key that matches the end of its path), or the default. */
export function byPattern(option: string, patterns: Readonly<Record<string, number>>, name: string, otherwise: number): number {
  const key = Object.keys(patterns).find((pattern) => expression(option, pattern, `^(?:.*\\.)?(?:${pattern})$`).test(name));
  return key === undefined ? otherwise : patterns[key]!;
}

function expression(option: string, pattern: string, source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    throw invalidPattern(option, pattern, cause);
  }
}
