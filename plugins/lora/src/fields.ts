// The settings of adapter_config.json: what each is for, as a table. A setting that changes what an
// adapter computes, and is not in it, is refused by name.
import {
  adapterUnsupported,
  anything,
  checkFields,
  off,
  type AdapterConfig,
  type FieldRule,
  type FieldRules,
} from '@lmflow/sdk/peft';
import { TYPES } from './field-types.ts';
import { initialisationOf } from './initialisations.ts';

const absent = (value: unknown): boolean => value === undefined || value === null;

const conversion =
  'Convert it in PEFT to plain LoRA: ' +
  'save_pretrained(folder, path_initial_model_for_weight_conversion=...), ' +
  'with the adapter as it was before the training.';

/** Initialisations that leave the base as it is: what is loaded replaces them. */
const PLAIN = new Set([
  'eva',
  'orthogonal',
  'mica',
  'gaussian',
  'true',
  'false',
  'null',
  'undefined',
]);

const initialisation: FieldRule = (value) => {
  const text = String(value).toLowerCase();
  if (PLAIN.has(text) || initialisationOf(text)) return undefined;
  return text === 'corda' || text === 'lora_ga' ? conversion : '';
};

const RULES: FieldRules = {
  // its matrices: checked against the tensors (read.ts)
  r: anything,
  lora_alpha: anything,
  lora_dropout: anything,
  target_modules: anything,
  exclude_modules: anything,
  layers_to_transform: anything,
  layers_pattern: anything,
  rank_pattern: anything,
  alpha_pattern: anything,
  use_rslora: anything,
  use_dora: anything,
  modules_to_save: anything,
  init_lora_weights: initialisation,
  loftq_config: anything, // with init_lora_weights
  // the model's layout decides, and the tensors
  fan_in_fan_out: anything,
  ensure_weight_tying: anything,
  // read by PEFT only beside an initialisation that is refused, or beside use_qalora
  eva_config: anything,
  corda_config: anything,
  lora_ga_config: anything,
  qalora_group_size: anything,
  megatron_core: anything, // with megatron_config
  merge_weights: anything, // of the first releases: when to merge
  bias: (value) =>
    absent(value) || ['none', 'all', 'lora_only'].includes(value as string) ? undefined : '',
  lora_bias: anything,
  trainable_token_indices: anything,
  megatron_config: off(),
  enable_lora: off(),
};

/** A classifier takes adapters of either task; a language model none with a head of labels. */
const classifierTask: FieldRule = (value) =>
  absent(value) || value === 'CAUSAL_LM' || value === 'SEQ_CLS' ? undefined : '';

/**
 * Throws LMFLOW_ADAPTER_UNSUPPORTED for a method or a setting that is not understood,
 * LMFLOW_ADAPTER_INVALID for a value of another type.
 */
export function checkConfig(file: string, config: AdapterConfig, classifies: boolean): void {
  const rules = classifies ? { ...RULES, task_type: classifierTask } : RULES;
  checkFields(file, config, { method: 'LORA', types: TYPES, rules });
  checkInitialisation(file, config);
}

/** What the initialisations that change the base need, or cannot do. */
function checkInitialisation(file: string, config: AdapterConfig): void {
  const value = config['init_lora_weights'];
  if (PLAIN.has(String(value).toLowerCase())) return;
  if (config['use_dora'] === true && value !== 'loftq') {
    throw adapterUnsupported(
      file,
      'init_lora_weights',
      value,
      `${conversion} Here it does not go with use_dora.`,
    );
  }
  const loftq = config['loftq_config'] as AdapterConfig | undefined;
  if (value === 'loftq' && loftq?.['loftq_bits'] !== 4) {
    throw adapterUnsupported(
      file,
      'loftq_config',
      loftq ?? null,
      'Only loftq_bits 4 is supported.',
    );
  }
}
