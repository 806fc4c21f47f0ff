// PEFT's files as they are written: adapter_config.json with the keys that old versions accept too,
// and adapter_model.safetensors. Reading: read.ts.
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import type { DecidedOptions } from './options.ts';

export const CONFIG_FILE = 'adapter_config.json';
export const TENSOR_FILE = 'adapter_model.safetensors';

export type AdapterTensors = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array }
>;

/**
 * The content of adapter_config.json. Only keys of PEFT's first releases (and use_rslora, use_dora
 * where they are on): later ones make old versions fail.
 */
export function adapterConfig(
  model: Model,
  layers: readonly LinearLayer[],
  options: DecidedOptions,
): Record<string, unknown> {
  const config: Record<string, unknown> = {
    alpha_pattern: options.alphaPattern,
    auto_mapping: null,
    base_model_name_or_path: model.source,
    bias: options.bias,
    fan_in_fan_out: layers.some(({ layout }) => layout === 'in-out'),
    inference_mode: true,
    init_lora_weights: options.initLoraWeights === 'loftq' ? 'loftq' : true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: options.loraAlpha,
    lora_dropout: options.loraDropout,
    modules_to_save: options.modulesToSave.length > 0 ? options.modulesToSave : null,
    peft_type: 'LORA',
    r: options.r,
    rank_pattern: options.rankPattern,
    revision: model.revision ?? null,
    target_modules: targetNames(model, layers),
    task_type: 'CAUSAL_LM',
  };
  if (options.initLoraWeights === 'loftq') {
    const { loftqBits, loftqIter } = options.loftqConfig;
    config['loftq_config'] = { loftq_bits: loftqBits, loftq_iter: loftqIter };
  }
  if (options.loraBias) config['lora_bias'] = true;
  if (options.useDora) config['use_dora'] = true;
  if (options.useRslora) config['use_rslora'] = true;
  return config;
}

/**
 * The shortest names that choose exactly these linears: last parts where they are all adapted,
 * whole paths otherwise.
 */
function targetNames(model: Model, layers: readonly LinearLayer[]): string[] {
  const last = (layer: LinearLayer): string => layer.name.split('.').at(-1)!;
  const chosen = new Set(layers.map(({ name }) => name));
  const complete = new Set(
    layers
      .map(last)
      .filter((ending) =>
        model.linears.every((layer) => last(layer) !== ending || chosen.has(layer.name)),
      ),
  );
  return [
    ...complete,
    ...layers.filter((layer) => !complete.has(last(layer))).map(({ name }) => name),
  ].sort();
}
