// How the settings of adapter_config.json are checked: a table says what each is for, and a setting
// that is not in it is refused by name, since it may change what the adapter computes.
import { adapterUnsupported } from './errors.ts';
import { checkFieldTypes, type FieldTypes } from './field-types.ts';
import type { AdapterConfig } from './folder.ts';

/**
 * Whether a setting's value is understood: undefined where it is, otherwise what to do instead, or
 * an empty text where merging in PEFT is all there is.
 */
export type FieldRule = (value: unknown) => string | undefined;

/** Rules by the names of settings. */
export type FieldRules = Readonly<Record<string, FieldRule>>;

/** Every value is understood. */
export const anything: FieldRule = () => undefined;

/** Refuses what is not null, false or empty, with a hint in place of the usual one. */
export const off =
  (hint = ''): FieldRule =>
  (value) =>
    empty(value) ? undefined : hint;

/** Settings of every method: what an adapter is of, and is called. */
export const COMMON_FIELDS: FieldRules = {
  auto_mapping: anything,
  base_model_name_or_path: anything,
  revision: anything,
  inference_mode: anything,
  peft_version: anything,
  peft_type: anything, // before all others
  task_type: (value) =>
    value === undefined || value === null || value === 'CAUSAL_LM' ? undefined : '',
  runtime_config: anything,
};

/** The plugins that read adapters of a method, by its `peft_type`. */
const PLUGINS: Readonly<Record<string, string>> = { LORA: 'lora', IA3: 'ia3', VERA: 'vera' };

/** Short name of the plugin that reads an adapter; undefined where none does. */
export function pluginOfAdapter({ peft_type: method }: AdapterConfig): string | undefined {
  return typeof method === 'string' ? PLUGINS[method] : undefined;
}

/** What a method understands of adapter_config.json. */
export interface MethodFields {
  /** Its `peft_type`. */
  readonly method: string;
  /** Beside those that several methods have. */
  readonly types: FieldTypes;
  /** Beside COMMON_FIELDS. */
  readonly rules: FieldRules;
}

/**
 * Throws LMFLOW_ADAPTER_UNSUPPORTED for another method's adapter and for a setting that is not
 * understood, LMFLOW_ADAPTER_INVALID for a value of another type.
 */
export function checkFields(
  file: string,
  config: AdapterConfig,
  { method, types, rules }: MethodFields,
): void {
  const found = config['peft_type'];
  if (found !== method) {
    const plugin = pluginOfAdapter(config);
    const hint = plugin && `Load the plugin ${plugin}, and name the folder with ${plugin}.adapter.`;
    throw adapterUnsupported(file, 'peft_type', found, hint);
  }
  checkFieldTypes(file, config, types);
  const table: FieldRules = { ...COMMON_FIELDS, ...rules };
  for (const [key, value] of Object.entries(config)) {
    const refusal = (table[key] ?? off())(value);
    if (refusal !== undefined) throw adapterUnsupported(file, key, value, refusal || undefined);
  }
}

function empty(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === false ||
    (typeof value === 'object' && Object.keys(value).length === 0)
  );
}
