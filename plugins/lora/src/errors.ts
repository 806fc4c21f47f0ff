// The errors of the LoRA plugin, one builder each.
import { type LMFlowError, usageError, inputError } from '@lmflow/sdk';

/** The settings leave no module to adapt; `what` names the setting. */
export function noTargets(what: string, known: readonly string[]): LMFlowError {
  return usageError('LMFLOW_LORA_NO_TARGETS', what, {
    hint: `Name modules that end in ${known.join(', ')}, or "all-linear" for all linears of the blocks.`,
  });
}

/** A name or pattern matches no module. */
export function unknownModule(
  option: 'targetModules' | 'excludeModules' | 'rankPattern' | 'alphaPattern' | 'modulesToSave',
  name: string,
  known: readonly string[],
): LMFlowError {
  const kinds = {
    targetModules: 'linear module or embedding',
    excludeModules: 'linear module or embedding',
    rankPattern: 'adapted module',
    alphaPattern: 'adapted module',
    modulesToSave: 'module with weights',
  };
  return usageError(
    'LMFLOW_LORA_UNKNOWN_MODULE',
    `lora.${option}: "${name}" matches no ${kinds[option]} of the model`,
    { hint: `Name modules that end in ${known.join(', ')}.` },
  );
}

/** The model does not have a block. */
export function unknownLayer(layer: number, last: number): LMFlowError {
  return usageError(
    'LMFLOW_LORA_UNKNOWN_LAYER',
    `lora.layersToTransform: the model has no block ${layer}`,
    { hint: `Choose blocks from 0 to ${last}.` },
  );
}

/** A pattern is not a regular expression. */
export function invalidPattern(option: string, pattern: string, cause: unknown): LMFlowError {
  return usageError(
    'LMFLOW_LORA_INVALID_PATTERN',
    `lora.${option}: "${pattern}" is not a regular expression`,
    { cause },
  );
}

/** A linear that an initialisation decomposes has no room for the rank. */
export function rankTooLarge(
  name: string,
  module: string,
  rank: number,
  largest: number,
): LMFlowError {
  return usageError(
    'LMFLOW_LORA_RANK',
    `lora.initLoraWeights "${name}": rank ${rank} is above ${largest}, the shorter side of ${module}`,
    { hint: 'Lower lora.r, or rankPattern for this module.' },
  );
}

/** An initialisation of the matrices does not go with something else. */
export function initialisationRefused(name: string, what: string): LMFlowError {
  return usageError(
    'LMFLOW_LORA_INITIALISATION',
    `lora.initLoraWeights "${name}" does not go with ${what}`,
    { hint: 'Leave one of them out.' },
  );
}

/** A setting that the matrices of an embedding cannot have, as in PEFT. */
export function embeddingRefused(option: string, module: string): LMFlowError {
  return usageError(
    'LMFLOW_LORA_EMBEDDING',
    `${option} does not go with matrices for ${module}, which is an embedding`,
    { hint: 'Leave one of them out.' },
  );
}

/** Matrices of an embedding and a head that share a weight are trained apart. */
export function tyingRefused(module: string): LMFlowError {
  return usageError(
    'LMFLOW_LORA_TYING',
    `lora.ensureWeightTying does not go with matrices for ${module}: it would have a weight of its own`,
    { hint: 'Name the module in modulesToSave, or leave ensureWeightTying out.' },
  );
}

/** Single tokens of trainableTokenIndices cannot be trained. */
export function tokensRefused(what: string): LMFlowError {
  return usageError('LMFLOW_LORA_TOKENS', `lora.trainableTokenIndices: ${what}`, {
    hint: 'Name each token of the vocabulary once, for the embedding or the head alone.',
  });
}

/** An adapter would change the base's numbers, which a plugin keeps in another form. */
export function baseClaimed(what: string, linear: string, plugin: string): LMFlowError {
  return usageError(
    'LMFLOW_LORA_BASE_CLAIMED',
    `${what} changes the base's ${linear}, and ${plugin} computes it with other numbers`,
    { hint: `Leave ${plugin} out, or merge the adapter first (lmflow merge).` },
  );
}

/** An adapter of a model with tied embeddings changes the embedding and not the head. */
export function tiesBroken(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_MISMATCH', `${file} does not fit the model: ${what}`, {
    hint: 'Train it with ensure_weight_tying=True in PEFT, or untie the base model (tie_word_embeddings: false).',
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
      hint: 'Resize the base model in transformers as for the training (resize_token_embeddings).',
    },
  );
}

/** A linear without a bias has no place for what lora_bias adds. */
export function biasNotMerged(module: string): LMFlowError {
  return usageError(
    'LMFLOW_LORA_BIAS_NOT_MERGED',
    `${module} has no bias that the adapter's could be added to (lora_bias)`,
    { hint: 'Use the adapter unmerged, as PEFT does too.' },
  );
}
