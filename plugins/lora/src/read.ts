// Reads an adapter folder as PEFT writes it. What its settings mean is in fields.ts, where its
// matrices belong in load.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import { readSafetensors } from '@lmflow/sdk/formats';
import {
  adapterFileMissing,
  adapterInvalid,
  adapterNotFinite,
  adapterPickle,
  notPeft,
} from './errors.ts';
import { checkConfig } from './fields.ts';
import type { LoraOptions } from './options.ts';
import { CONFIG_FILE, TENSOR_FILE, type AdapterTensors } from './peft.ts';

/** Which modules an adapter's settings name, by PEFT's rules. */
export interface NamedModules {
  readonly targets: string | readonly string[] | undefined;
  readonly excluded: string | readonly string[] | undefined;
  readonly layers: readonly number[] | undefined;
  readonly layersPattern: readonly string[];
}

export interface ReadAdapter {
  readonly options: Partial<LoraOptions>;
  readonly modules: NamedModules;
  /** By names without PEFT's prefix. */
  readonly tensors: AdapterTensors;
}

/**
 * Reads an adapter folder: the options its config stands for, and its tensors. Throws
 * LMFLOW_ADAPTER_NOT_FOUND, _INVALID, _UNSUPPORTED, _PICKLE and _NOT_FINITE.
 */
export async function readAdapter(folder: string): Promise<ReadAdapter> {
  const file = join(folder, CONFIG_FILE);
  const config = await readConfig(file);
  if (config['peft_type'] === undefined) throw notPeft(folder, foreign(folder));
  checkConfig(file, config);
  return {
    tensors: await readTensors(folder),
    options: optionsOf(config),
    modules: {
      targets: config['target_modules'] as NamedModules['targets'],
      excluded: (config['exclude_modules'] as NamedModules['targets'] | null) ?? undefined,
      layers: listOf(config['layers_to_transform'] as number | number[] | null),
      layersPattern: listOf(config['layers_pattern'] as string | string[] | null) ?? [],
    },
  };
}

function listOf<T>(value: T | readonly T[] | null | undefined): readonly T[] | undefined {
  if (value === null || value === undefined) return undefined;
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
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

async function readTensors(folder: string): Promise<AdapterTensors> {
  const file = join(folder, TENSOR_FILE);
  if (!existsSync(file)) {
    const pickle = join(folder, 'adapter_model.bin');
    throw existsSync(pickle) ? adapterPickle(pickle) : adapterFileMissing(file);
  }
  const tensors = await readSafetensors(file);
  for (const [name, { data }] of tensors) {
    const value = data.find((number) => !Number.isFinite(number));
    if (value !== undefined) throw adapterNotFinite(file, name, value);
  }
  return new Map([...tensors].map(([name, tensor]) => [plainName(name), tensor]));
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

/** What a folder without PEFT's settings seems to be. */
function foreign(folder: string): string {
  return existsSync(join(folder, 'adapters.safetensors'))
    ? `${CONFIG_FILE} has no "peft_type", and adapters.safetensors is a file of mlx-lm`
    : `${CONFIG_FILE} has no "peft_type"`;
}
