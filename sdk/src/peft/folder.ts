// Reads an adapter folder of PEFT: adapter_config.json, adapter_model.safetensors, and the chat
// template beside them. What its settings mean is the method's.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { readWhole } from '../files/index.ts';
import { readSafetensors } from '../formats/index.ts';
import type { Tokenizer } from '../tokenizer.ts';
import {
  adapterFileMissing,
  adapterInvalid,
  adapterNotFinite,
  adapterPickle,
  notPeft,
} from './errors.ts';

/** File name of an adapter's settings. */
export const CONFIG_FILE = 'adapter_config.json';
/** File name of an adapter's tensors. */
export const TENSOR_FILE = 'adapter_model.safetensors';

/** The content of adapter_config.json. */
export type AdapterConfig = Readonly<Record<string, unknown>>;

/** Tensors of an adapter by name, row-major. */
export type AdapterTensors = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array }
>;

/**
 * The settings in an adapter folder. Throws LMFLOW_ADAPTER_NOT_FOUND, LMFLOW_ADAPTER_INVALID where
 * the file is no JSON object, LMFLOW_ADAPTER_UNSUPPORTED where it is not PEFT's.
 */
export async function readAdapterConfig(folder: string): Promise<AdapterConfig> {
  const config = await readConfig(join(folder, CONFIG_FILE));
  if (config['peft_type'] === undefined) throw notPeft(folder, foreign(folder));
  return config;
}

/**
 * The tensors in an adapter folder, in float32, by their names without `base_model.model.`. Throws
 * LMFLOW_ADAPTER_NOT_FOUND, LMFLOW_ADAPTER_PICKLE for adapter_model.bin, and
 * LMFLOW_ADAPTER_NOT_FINITE.
 */
export async function readAdapterTensors(folder: string): Promise<AdapterTensors> {
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
  return new Map(
    [...tensors].map(([name, tensor]) => [name.replace(/^base_model\.model\./, ''), tensor]),
  );
}

/** The chat template beside an adapter, by its file; undefined where there is none. */
export function adapterTemplate(folder: string): string | undefined {
  const file = join(folder, 'chat_template.jinja');
  return existsSync(file) ? file : undefined;
}

/** Sets the chat template that an adapter was trained with, where its folder has one. */
export async function takeAdapterTemplate(folder: string, tokenizer: Tokenizer): Promise<void> {
  const file = adapterTemplate(folder);
  if (file === undefined) return;
  tokenizer.chatTemplate = await readWhole(file);
  tokenizer.chatTemplateOrigin = file;
}

async function readConfig(file: string): Promise<AdapterConfig> {
  const text = await readWhole(file).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw adapterFileMissing(file);
    throw adapterInvalid(file, `cannot be read: ${messageOf(error)}`);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as AdapterConfig;
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
