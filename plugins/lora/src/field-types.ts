// The types of LoRA's own settings in adapter_config.json, as PEFT writes them. What their values mean
// is in fields.ts.
import { z } from 'zod';
import type { FieldTypes } from '@lmflow/sdk/peft';

const numbers = z.record(z.string(), z.number().positive());
const tokens = z.array(z.number().int().nonnegative());
const positive = z.number().positive();

/** What each setting may be, and how a message says so. */
export const TYPES: FieldTypes = {
  r: [positive.int(), 'a positive whole number'],
  lora_alpha: [positive, 'a positive number'],
  lora_dropout: [z.number().min(0).max(1).nullish(), 'a number from 0 to 1'],
  rank_pattern: [
    z.record(z.string(), positive.int()).nullish(),
    'an object of positive whole numbers',
  ],
  alpha_pattern: [numbers.nullish(), 'an object of positive numbers'],
  use_rslora: [z.boolean().nullish(), 'true or false'],
  use_dora: [z.boolean().nullish(), 'true or false'],
  lora_bias: [z.boolean().nullish(), 'true or false'],
  trainable_token_indices: [
    z.union([tokens, z.record(z.string(), tokens)]).nullish(),
    'a list of token ids, or an object of such lists',
  ],
  ensure_weight_tying: [z.boolean().nullish(), 'true or false'],
  init_lora_weights: [z.union([z.boolean(), z.string()]).nullish(), 'true, false or a text'],
  loftq_config: [
    z
      .object({ loftq_bits: positive.int().optional(), loftq_iter: positive.int().optional() })
      .nullish(),
    'an object with positive whole numbers as loftq_bits and loftq_iter',
  ],
};
