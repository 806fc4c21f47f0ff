// Which linears get a vector, and of what: by the options, otherwise as PEFT chooses by family.
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import { namedLinears } from '@lmflow/sdk/peft';
import { invalidPattern, noDefaults, noTargets, unknownModule } from './errors.ts';
import type { Ia3Options } from './options.ts';
import { vectorOf, type Ia3Vector } from './vector.ts';

interface Defaults {
  readonly targets: readonly string[];
  readonly feedforward: readonly string[];
}

const keyAndValue: Defaults = {
  targets: ['k_proj', 'v_proj', 'down_proj'],
  feedforward: ['down_proj'],
};
const queryAndValue: Defaults = {
  targets: ['q_proj', 'v_proj', 'down_proj'],
  feedforward: ['down_proj'],
};

/** PEFT's TRANSFORMERS_MODELS_TO_IA3_*_MODULES_MAPPING. */
const DEFAULTS: Readonly<Record<string, Defaults>> = {
  gpt2: { targets: ['c_attn', 'mlp.c_proj'], feedforward: ['mlp.c_proj'] },
  llama: keyAndValue,
  mistral: keyAndValue,
  qwen2: queryAndValue,
  qwen3: queryAndValue,
};

/**
 * Vectors of ones for the linears that the options name. Throws LMFLOW_IA3_NO_DEFAULTS,
 * LMFLOW_IA3_UNKNOWN_MODULE, LMFLOW_IA3_INVALID_PATTERN and LMFLOW_IA3_NO_TARGETS.
 */
export function freshVectors({ linears, architecture }: Model, options: Ia3Options): Ia3Vector[] {
  const defaults = DEFAULTS[architecture.family];
  const { targetModules = defaults?.targets, feedforwardModules, excludeModules } = options;
  if (!targetModules || !(feedforwardModules ?? defaults)) throw noDefaults(architecture.family);
  const excluded =
    excludeModules === undefined ? [] : matching('excludeModules', excludeModules, linears);
  const targets = matching('targetModules', targetModules, linears);
  const layers = targets.filter((layer) => !excluded.includes(layer));
  if (layers.length === 0) throw noTargets();
  const inputs = feedforwardModules
    ? matching('feedforwardModules', feedforwardModules, layers)
    : plain(layers, defaults!.feedforward, 'feedforwardModules')!;
  return layers.map((layer) => vectorOf(layer, inputs.includes(layer)));
}

type Option = 'targetModules' | 'feedforwardModules' | 'excludeModules';

/** The linears that an option names; each of its texts must name one. */
function matching(
  option: Option,
  setting: string | readonly string[],
  linears: readonly LinearLayer[],
): LinearLayer[] {
  const found = plain(linears, setting, option);
  if (!found) throw invalidPattern(option, String(setting));
  const texts = typeof setting === 'string' ? [setting] : setting;
  const unused = texts.find((text) =>
    typeof setting === 'string' ? found.length === 0 : plain(linears, [text], option)!.length === 0,
  );
  if (unused !== undefined) {
    const endings = linears.map(({ name }) => name.split('.').at(-1)!);
    throw unknownModule(option, unused, [...new Set(endings)]);
  }
  return found;
}

const plain = (
  linears: readonly LinearLayer[],
  targets: string | readonly string[],
  option: Option,
): LinearLayer[] | undefined =>
  namedLinears(
    linears,
    { targets, excluded: undefined, layers: undefined, layersPattern: [] },
    { option: `ia3.${option}` },
  );
