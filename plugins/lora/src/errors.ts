// The errors of the LoRA plugin, one builder each.
import { type LMFlowError, usageError, inputError } from '@lmflow/sdk';
import { shown } from './shown-value.ts';

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
    targetModules: 'linear module',
    excludeModules: 'linear module',
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

/** The folder of an adapter lacks a file. */
export function adapterFileMissing(file: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_NOT_FOUND', `${file}: no such file`, {
    hint: 'Name a folder with adapter_config.json and adapter_model.safetensors, as PEFT and lmflow write it.',
  });
}

/** adapter_config.json is malformed. */
export function adapterInvalid(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_INVALID', `${file}: ${what}`);
}

/** A setting of an adapter that changes what it computes, and is not understood. */
export function adapterUnsupported(
  file: string,
  key: string,
  value: unknown,
  hint = 'Load it in PEFT, merge it there (merge_and_unload), and use the model that comes out.',
): LMFlowError {
  return inputError(
    'LMFLOW_ADAPTER_UNSUPPORTED',
    `${file}: ${key} = ${shown(value)} is not supported`,
    { hint },
  );
}

/** A folder with an adapter of another program. */
export function notPeft(folder: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_UNSUPPORTED', `${folder} is no PEFT adapter: ${what}`, {
    hint: 'Convert it to PEFT ("peft_type": "LORA", adapter_model.safetensors).',
  });
}

/** An adapter's numbers are in a Python pickle. */
export function adapterPickle(file: string): LMFlowError {
  return inputError(
    'LMFLOW_ADAPTER_PICKLE',
    `${file} is a Python pickle, which is not read: it can run code when it is opened`,
    {
      hint: 'Convert it once in Python: PeftModel.from_pretrained(model, folder).save_pretrained(folder).',
    },
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

/** An adapter would change the base's numbers, which a plugin keeps in another form. */
export function baseClaimed(what: string, linear: string, plugin: string): LMFlowError {
  return usageError(
    'LMFLOW_LORA_BASE_CLAIMED',
    `${what} changes the base's ${linear}, and ${plugin} computes it with other numbers`,
    { hint: `Leave ${plugin} out, or merge the adapter first (lmflow merge).` },
  );
}

/** Numbers of an adapter are NaN or infinite. */
export function adapterNotFinite(file: string, name: string, value: number): LMFlowError {
  return inputError('LMFLOW_ADAPTER_NOT_FINITE', `${file}: ${name} holds ${value}`, {
    hint: 'Use an earlier checkpoint: the training that wrote this one diverged.',
  });
}

/** The settings of an adapter name modules whose matrices its file does not have. */
export function matricesMissing(
  file: string,
  missing: readonly string[],
  all: boolean,
): LMFlowError {
  const what = all
    ? 'it has none of the matrices that target_modules names'
    : `matrices that target_modules names are missing: those of ${missing[0]!}${missing.length > 1 ? ` and ${missing.length - 1} more` : ''}`;
  return inputError('LMFLOW_ADAPTER_INCOMPLETE', `${file}: ${what}`, {
    hint: 'Save the adapter again: the file was written incompletely, or its names have an unknown prefix.',
  });
}

/** An adapter of a model with tied embeddings changes the embedding and not the head. */
export function tiesBroken(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_MISMATCH', `${file} does not fit the model: ${what}`, {
    hint: 'Train it with ensure_weight_tying=True in PEFT, or untie the base model (tie_word_embeddings: false).',
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
      hint: 'Resize the base model in transformers as for the training (resize_token_embeddings).',
    },
  );
}

/** LMFLOW_ADAPTER_POSITIONS: the adapter was trained with other positions than the model has. */
export function basePositions(folder: string, trained: object, found: object): LMFlowError {
  const words = (positions: object): string =>
    Object.keys(positions).length === 0 ? 'those of the checkpoint' : JSON.stringify(positions);
  return inputError(
    'LMFLOW_ADAPTER_POSITIONS',
    `the adapter in ${folder} was trained with other positions (${words(trained)}) than the model has (${words(found)})`,
    {
      hint: 'Leave positionInterpolation out or set it as in training, and use adapters together that were trained alike.',
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
