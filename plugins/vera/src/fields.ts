// The settings of a VeRA adapter's adapter_config.json. What every method has: @lmflow/sdk/peft.
import { z } from 'zod';
import { anything, off, type MethodFields } from '@lmflow/sdk/peft';

const flag = [z.boolean().nullish(), 'true or false'] as const;

export const FIELDS: MethodFields = {
  method: 'VERA',
  types: {
    r: [z.number().int().positive(), 'a positive whole number'],
    projection_prng_key: [
      z.number().int().nonnegative().nullish(),
      'a whole number that is not negative',
    ],
    save_projection: flag,
    vera_dropout: [z.number().min(0).max(1).nullish(), 'a number from 0 to 1'],
    d_initial: [z.number().nullish(), 'a number'],
    init_weights: flag,
  },
  rules: {
    r: anything,
    projection_prng_key: anything,
    save_projection: anything,
    vera_dropout: anything,
    // checked against the tensors (load.ts)
    target_modules: anything,
    layers_to_transform: anything,
    layers_pattern: anything,
    // what is loaded replaces them
    d_initial: anything,
    init_weights: anything,
    fan_in_fan_out: anything, // the model's layout decides
    bias: (value) => (value === 'none' ? undefined : off()(value)),
    modules_to_save: off(),
  },
};
