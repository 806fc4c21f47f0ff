// The errors of the LoRA plugin, one builder each.
import { type LMFlowError, usageError, inputError } from '@lmflow/sdk';

/** Nothing would be adapted: `what` says which setting is the cause. */
export function noTargets(what: string, known: readonly string[]): LMFlowError {
  return usageError('LMFLOW_LORA_NO_TARGETS', what, {
    hint: `Linear modules of this model end in: ${known.join(', ')}. "all-linear" takes them all.`,
  });
}

/** A name or pattern of nothing. */
export function unknownModule(
  option: 'targetModules' | 'excludeModules' | 'rankPattern' | 'alphaPattern' | 'modulesToSave',
  name: string,
  known: readonly string[],
): LMFlowError {
  const whose = {
    targetModules: 'Linear modules of this model',
    excludeModules: 'Linear modules of this model',
    rankPattern: 'Adapted modules',
    alphaPattern: 'Adapted modules',
    modulesToSave: 'Modules with weights',
  };
  return usageError('LMFLOW_LORA_UNKNOWN_MODULE', `lora.${option}: nothing is named by "${name}"`, {
    hint: `${whose[option]} end in: ${known.join(', ')}.`,
  });
}

/** A block that the model does not have. */
export function unknownLayer(layer: number, last: number): LMFlowError {
  return usageError(
    'LMFLOW_LORA_UNKNOWN_LAYER',
    `lora.layersToTransform: the model has no block ${layer}`,
    { hint: `Its blocks are 0 to ${last}.` },
  );
}

export function invalidPattern(option: string, pattern: string, cause: unknown): LMFlowError {
  return usageError(
    'LMFLOW_LORA_INVALID_PATTERN',
    `lora.${option}: "${pattern}" is not a regular expression`,
    { cause },
  );
}

export function adapterFileMissing(file: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_NOT_FOUND', `${file}: no such file`, {
    hint: 'lora.adapter must be a folder with adapter_config.json and adapter_model.safetensors, as PEFT and lmflow write it.',
  });
}

export function adapterInvalid(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_INVALID', `${file}: ${what}`);
}

export function adapterUnsupported(file: string, key: string, value: unknown): LMFlowError {
  return inputError(
    'LMFLOW_ADAPTER_UNSUPPORTED',
    `${file}: ${key} = ${JSON.stringify(value)} is not supported`,
    {
      hint: 'Supported are LoRA, rsLoRA and DoRA adapters for causal language models, with modules_to_save.',
    },
  );
}

/** An adapter of a model with tied embeddings changes the embedding and not the head. */
export function tiesBroken(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_MISMATCH', `${file} does not fit the model: ${what}`, {
    hint: 'Here they stay one. With PEFT: ensure_weight_tying=True, or untie the base model (tie_word_embeddings: false, with lm_head.weight in its file).',
  });
}

export function adapterDoesNotFit(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_MISMATCH', `${file} does not fit the model: ${what}`, {
    hint: 'Was it trained on another base model?',
  });
}

/** An adapter brings a weight of the base along that has another shape than the base's. */
export function vocabularyDiffers(
  file: string,
  name: string,
  shape: readonly number[],
  wanted: readonly number[],
): LMFlowError {
  return inputError(
    'LMFLOW_ADAPTER_MISMATCH',
    `${file} does not fit the model: ${name} is [${shape.join(', ')}], the model's is [${wanted.join(', ')}]`,
    {
      hint: 'If the vocabulary was resized for the training, resize the base model in transformers too (resize_token_embeddings, save_pretrained) and name that folder as the model.',
    },
  );
}
