// Reads an adapter folder as PEFT writes it. What its settings mean is in fields.ts, where its
// matrices belong in load.ts.
import { join } from 'node:path';
import type { Model } from '@lmflow/sdk/model';
import {
  CONFIG_FILE,
  namedModules,
  readAdapterConfig,
  readAdapterTensors,
  type AdapterTensors,
  type NamedModules,
} from '@lmflow/sdk/peft';
import { checkConfig } from './fields.ts';
import type { LoraOptions } from './options.ts';

export interface ReadAdapter {
  readonly options: Partial<LoraOptions>;
  readonly modules: NamedModules;
  /** By names without PEFT's prefix. */
  readonly tensors: AdapterTensors;
}

/**
 * Reads the folder of an adapter for the model: the options its config stands for, and its tensors. Throws
 * LMFLOW_ADAPTER_NOT_FOUND, _INVALID, _UNSUPPORTED, _PICKLE and _NOT_FINITE.
 */
export async function readAdapter(folder: string, model: Model): Promise<ReadAdapter> {
  const config = await readAdapterConfig(folder);
  const classifies = model.architecture.labels !== undefined;
  checkConfig(join(folder, CONFIG_FILE), config, classifies);
  const tensors = await readAdapterTensors(folder);
  return {
    tensors: new Map([...tensors].map(([name, tensor]) => [plainName(name), tensor])),
    options: optionsOf(config),
    modules: namedModules(config),
  };
}

function optionsOf(config: Readonly<Record<string, unknown>>): Partial<LoraOptions> {
  const loftq = config['loftq_config'] as Readonly<Record<string, number>> | null | undefined;
  const initial = config['init_lora_weights'];
  return {
    r: config['r'] as number,
    loraAlpha: config['lora_alpha'] as number,
    loraDropout: (config['lora_dropout'] as number | undefined) ?? 0,
    useRslora: config['use_rslora'] === true,
    useDora: config['use_dora'] === true,
    bias: (config['bias'] as LoraOptions['bias'] | null | undefined) ?? 'none',
    loraBias: config['lora_bias'] === true,
    trainableTokenIndices:
      (config['trainable_token_indices'] as LoraOptions['trainableTokenIndices'] | null) ??
      undefined,
    ensureWeightTying: config['ensure_weight_tying'] === true,
    modulesToSave: (config['modules_to_save'] as string[] | null | undefined) ?? [],
    rankPattern: (config['rank_pattern'] as Record<string, number> | null | undefined) ?? {},
    alphaPattern: (config['alpha_pattern'] as Record<string, number> | null | undefined) ?? {},
    initLoraWeights: changesBase(initial) ? initial : true,
    ...(initial === 'loftq'
      ? { loftqConfig: { loftqBits: 4, loftqIter: loftq?.['loftq_iter'] ?? 1 } }
      : {}),
  };
}

/** Other initialisations say nothing of an adapter that is trained. */
function changesBase(value: unknown): value is string {
  return typeof value === 'string' && /^(pissa|olora|loftq)/.test(value.toLowerCase());
}

// `.default.` is the adapter's name inside PEFT, which some tools leave in files.
function plainName(name: string): string {
  return name
    .replace(/\.lora_([AB])\.default\./, '.lora_$1.')
    .replace(/\.lora_embedding_([AB])\.default$/, '.lora_embedding_$1')
    .replace(/\.lora_magnitude_vector\.default(?:\.weight)?$/, '.lora_magnitude_vector')
    .replace(/\.modules_to_save(?:\.default)?\./, '.');
}
