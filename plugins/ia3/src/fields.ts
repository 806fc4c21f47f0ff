// The settings of an IA3 adapter's adapter_config.json. What every method has: @lmflow/sdk/peft.
import { z } from 'zod';
import { anything, off, type MethodFields } from '@lmflow/sdk/peft';

const names = z.union([z.string(), z.array(z.string())]).nullish();

export const FIELDS: MethodFields = {
  method: 'IA3',
  types: {
    feedforward_modules: [names, 'a text or a list of texts'],
    init_ia3_weights: [z.boolean().nullish(), 'true or false'],
  },
  rules: {
    // checked against the tensors (load.ts)
    target_modules: anything,
    exclude_modules: anything,
    feedforward_modules: anything,
    init_ia3_weights: anything, // what is loaded replaces it
    fan_in_fan_out: anything, // the model's layout decides
    modules_to_save: off(),
  },
};
