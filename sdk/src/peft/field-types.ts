// The types of the settings of adapter_config.json, as PEFT writes them. What their values mean is in
// fields.ts.
import { z } from 'zod';
import { adapterInvalid } from './errors.ts';
import type { AdapterConfig } from './folder.ts';
import { shown } from './shown-value.ts';

const names = z.array(z.string());
const block = z.number().int().nonnegative();

/** What settings may be, by their names, and how a message says so. */
export type FieldTypes = Readonly<Record<string, readonly [type: z.ZodType, words: string]>>;

/** Settings that several methods have; those that a method does not have are absent. */
const COMMON: FieldTypes = {
  target_modules: [z.union([z.string(), names]).nullish(), 'a text or a list of texts'],
  exclude_modules: [z.union([z.string(), names]).nullish(), 'a text or a list of texts'],
  layers_to_transform: [
    z.union([block, z.array(block)]).nullish(),
    'the number of a block or a list of them',
  ],
  layers_pattern: [z.union([z.string(), names]).nullish(), 'a text or a list of texts'],
  modules_to_save: [names.nullish(), 'a list of texts'],
  fan_in_fan_out: [z.boolean().nullish(), 'true or false'],
  bias: [z.string().nullish(), 'a text'],
};

/**
 * Throws LMFLOW_ADAPTER_INVALID for a setting whose value is of another type than `types`, or what
 * several methods have, say.
 */
export function checkFieldTypes(file: string, config: AdapterConfig, types: FieldTypes): void {
  for (const [key, [type, words]] of Object.entries({ ...COMMON, ...types })) {
    const value = config[key];
    if (!type.safeParse(value).success) {
      throw adapterInvalid(file, `"${key}" must be ${words}, not ${shown(value)}`);
    }
  }
}
