// PEFT's files as they are written: adapter_config.json with the keys that old versions accept too,
// and adapter_model.safetensors. Reading: read.ts.
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import { shortestNames } from '@lmflow/sdk/peft';
import type { DecidedOptions } from './options.ts';
import { embeddingWeight } from './tied.ts';

/**
 * The content of adapter_config.json. Only keys of PEFT's first releases (and use_rslora, use_dora
 * and the like where they are on): later ones make old versions fail.
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
    // said of linears: an embedding always lies so
    fan_in_fan_out: layers.some(
      ({ layout, weight }) => layout === 'in-out' && weight !== embeddingWeight(model),
    ),
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
    target_modules: shortestNames(model.linears, layers),
    task_type: model.architecture.labels === undefined ? 'CAUSAL_LM' : 'SEQ_CLS',
  };
  if (options.initLoraWeights === 'loftq') {
    const { loftqBits, loftqIter } = options.loftqConfig;
    config['loftq_config'] = { loftq_bits: loftqBits, loftq_iter: loftqIter };
  }
  if (options.trainableTokenIndices !== undefined) {
    config['trainable_token_indices'] = options.trainableTokenIndices;
  }
  if (options.ensureWeightTying) config['ensure_weight_tying'] = true;
  if (options.loraBias) config['lora_bias'] = true;
  if (options.useDora) config['use_dora'] = true;
  if (options.useRslora) config['use_rslora'] = true;
  return config;
}
