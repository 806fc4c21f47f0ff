// PEFT's files: adapter_config.json with the keys that old versions accept too, and
// adapter_model.safetensors.
import { join } from 'node:path';
import { messageOf } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import { readSafetensors } from '@lmflow/sdk/formats';
import { adapterFileMissing, adapterInvalid, adapterUnsupported } from './errors.ts';
import type { DecidedOptions, LoraOptions } from './options.ts';

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
    bias: 'none',
    fan_in_fan_out: layers.some(({ layout }) => layout === 'in-out'),
    inference_mode: true,
    init_lora_weights: true,
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

/** Reads an adapter folder: its config as options, and its tensors by names without PEFT's prefix. */
export async function readAdapter(
  folder: string,
): Promise<{ readonly options: Partial<LoraOptions>; readonly tensors: AdapterTensors }> {
  const file = join(folder, CONFIG_FILE);
  const config = await readConfig(file);
  check(file, config);
  const tensors = await readSafetensors(join(folder, TENSOR_FILE));
  return {
    tensors: new Map([...tensors].map(([name, tensor]) => [plainName(name), tensor])),
    options: {
      r: config['r'] as number,
      loraAlpha: config['lora_alpha'] as number,
      loraDropout: (config['lora_dropout'] as number | undefined) ?? 0,
      useRslora: config['use_rslora'] === true,
      useDora: config['use_dora'] === true,
      modulesToSave: (config['modules_to_save'] as string[] | null | undefined) ?? [],
      rankPattern: (config['rank_pattern'] as Record<string, number> | undefined) ?? {},
      alphaPattern: (config['alpha_pattern'] as Record<string, number> | undefined) ?? {},
    },
  };
}

// `.default.` is the adapter's name inside PEFT, which some tools leave in files.
function plainName(name: string): string {
  return name
    .replace(/^base_model\.model\./, '')
    .replace(/\.lora_([AB])\.default\./, '.lora_$1.')
    .replace(/\.lora_magnitude_vector\.default(?:\.weight)?$/, '.lora_magnitude_vector')
    .replace(/\.modules_to_save(?:\.default)?\./, '.');
}

async function readConfig(file: string): Promise<Record<string, unknown>> {
  const text = await readWhole(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw adapterFileMissing(file);
    throw adapterInvalid(file, `cannot be read: ${messageOf(error)}`);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    /* the error below covers it */
  }
  throw adapterInvalid(file, 'is not a JSON object');
}

const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  peft_type: (value) => value !== 'LORA',
  use_qalora: Boolean,
  use_bdlora: Boolean,
  lora_bias: Boolean,
  layer_replication: Boolean,
  alora_invocation_tokens: Boolean,
  arrow_config: Boolean,
  bias: (value) => value !== undefined && value !== 'none',
  trainable_token_indices: Boolean,
  target_parameters: (value) => Array.isArray(value) && value.length > 0,
};

function check(file: string, config: Readonly<Record<string, unknown>>): void {
  for (const [key, refused] of Object.entries(REFUSED)) {
    if (refused(config[key])) throw adapterUnsupported(file, key, config[key]);
  }
  for (const key of ['r', 'lora_alpha']) {
    if (typeof config[key] !== 'number' || !(config[key] > 0)) {
      throw adapterInvalid(
        file,
        `"${key}" must be a positive number, not ${JSON.stringify(config[key])}`,
      );
    }
  }
}
