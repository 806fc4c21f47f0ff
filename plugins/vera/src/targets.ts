// Which linears are adapted: by the options, otherwise as PEFT chooses by family.
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import { namedLinears } from '@lmflow/sdk/peft';
import { invalidPattern, noDefaults, unknownModule } from './errors.ts';
import type { VeraOptions } from './options.ts';

/** PEFT's TRANSFORMERS_MODELS_TO_VERA_TARGET_MODULES_MAPPING. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  gpt2: ['c_attn'],
  llama: ['q_proj', 'v_proj'],
  mistral: ['q_proj', 'v_proj'],
  qwen2: ['q_proj', 'v_proj'],
  qwen3: ['q_proj', 'v_proj'],
};

/**
 * The linears that the options name. Throws LMFLOW_VERA_NO_DEFAULTS, LMFLOW_VERA_UNKNOWN_MODULE and
 * LMFLOW_VERA_INVALID_PATTERN.
 */
export function targetLinears(
  { linears, architecture: { family } }: Model,
  { targetModules: chosen, layersToTransform }: VeraOptions,
): LinearLayer[] {
  const targetModules = chosen ?? DEFAULTS[family];
  if (!targetModules) throw noDefaults(family);
  const endings = [...new Set(linears.map(({ name }) => name.split('.').at(-1)!))];
  const matching = (
    among: readonly LinearLayer[],
    targets: string | readonly string[],
  ): LinearLayer[] => {
    const names = { targets, excluded: undefined, layers: undefined, layersPattern: [] };
    const found = namedLinears(among, names, { option: 'vera.targetModules' });
    if (!found) throw invalidPattern(String(targets));
    return found;
  };
  const texts = typeof targetModules === 'string' ? [targetModules] : targetModules;
  const unused = texts.find(
    (text) => matching(linears, texts === targetModules ? [text] : text).length === 0,
  );
  if (unused !== undefined) throw unknownModule('targetModules', unused, endings);
  const named = matching(linears, targetModules);
  if (!layersToTransform) return named;
  const block = layersToTransform.find((index) => named.every(({ layer }) => layer !== index));
  if (block !== undefined) throw unknownModule('layersToTransform', block, endings);
  return named.filter(({ layer }) => layer !== undefined && layersToTransform.includes(layer));
}
