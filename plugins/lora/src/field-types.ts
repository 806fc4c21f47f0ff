// The types of the settings of adapter_config.json, as PEFT writes them. What their values mean is in
// fields.ts.
import { z } from 'zod';
import { adapterInvalid } from './errors.ts';
import { shown } from './shown-value.ts';

const names = z.array(z.string());
const numbers = z.record(z.string(), z.number().positive());
const block = z.number().int().nonnegative();
const positive = z.number().positive();

/** What each setting may be, and how a message says so. */
const TYPES: Readonly<Record<string, readonly [type: z.ZodType, words: string]>> = {
  r: [positive.int(), 'a positive whole number'],
  lora_alpha: [positive, 'a positive number'],
  lora_dropout: [z.number().min(0).max(1).nullish(), 'a number from 0 to 1'],
  target_modules: [z.union([z.string(), names]).nullish(), 'a text or a list of texts'],
  exclude_modules: [z.union([z.string(), names]).nullish(), 'a text or a list of texts'],
  layers_to_transform: [
    z.union([block, z.array(block)]).nullish(),
    'the number of a block or a list of them',
  ],
  layers_pattern: [z.union([z.string(), names]).nullish(), 'a text or a list of texts'],
  rank_pattern: [
    z.record(z.string(), positive.int()).nullish(),
    'an object of positive whole numbers',
  ],
  alpha_pattern: [numbers.nullish(), 'an object of positive numbers'],
  modules_to_save: [names.nullish(), 'a list of texts'],
  use_rslora: [z.boolean().nullish(), 'true or false'],
  use_dora: [z.boolean().nullish(), 'true or false'],
  lora_bias: [z.boolean().nullish(), 'true or false'],
  fan_in_fan_out: [z.boolean().nullish(), 'true or false'],
  ensure_weight_tying: [z.boolean().nullish(), 'true or false'],
  bias: [z.string().nullish(), 'a text'],
  init_lora_weights: [z.union([z.boolean(), z.string()]).nullish(), 'true, false or a text'],
  loftq_config: [
    z
      .object({ loftq_bits: positive.int().optional(), loftq_iter: positive.int().optional() })
      .nullish(),
    'an object with positive whole numbers as loftq_bits and loftq_iter',
  ],
};

/** Throws LMFLOW_ADAPTER_INVALID for a setting whose value is of another type. */
export function checkTypes(file: string, config: Readonly<Record<string, unknown>>): void {
  for (const [key, [type, words]] of Object.entries(TYPES)) {
    const value = config[key];
    if (!type.safeParse(value).success) {
      throw adapterInvalid(file, `"${key}" must be ${words}, not ${shown(value)}`);
    }
  }
}
