// The errors of models, checkpoints and their configuration, one builder each. Those of tokenizers
// and of the hub are beside them.
import { type LMFlowError, inputError } from '@lmflow/sdk';
import type { Shape } from '@lmflow/sdk/graph';

const sizes = (shape: Shape): string => `[${shape.join(', ')}]`;
const quoted = (value: unknown): string => JSON.stringify(value) ?? 'undefined';

/** There is neither a folder nor a Hugging Face model of this name. */
export function modelNotFound(source: string, why: string, hint?: string): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_NOT_FOUND',
    `there is no model "${source}": ${why}`,
    hint === undefined ? {} : { hint },
  );
}

/** A JSON file of the model cannot be read. */
export function fileInvalid(file: string, what: string, cause?: unknown): LMFlowError {
  return inputError('LMFLOW_MODEL_FILE_INVALID', `${file} ${what}`, { cause });
}

/** A JSON file of the model is the few lines that Git LFS keeps in its place. */
export function lfsPointer(file: string): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_FILE_INVALID',
    `${file} is a Git LFS pointer, not the file itself`,
    { hint: 'Run "git lfs pull" in its repository.' },
  );
}

/** config.json lacks a value, or has a wrong one. */
export function configInvalid(
  file: string,
  key: string,
  expected: string,
  found: unknown,
): LMFlowError {
  const state = found === undefined ? 'is missing' : `is ${quoted(found)}`;
  return inputError('LMFLOW_MODEL_CONFIG', `${file}: "${key}" ${state}; it must be ${expected}`);
}

/** The model's architecture is not one that this project has. */
export function familyUnsupported(
  file: string,
  modelType: unknown,
  known: readonly string[],
  suggestion: string | undefined,
): LMFlowError {
  const nearest = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  const what =
    modelType === undefined
      ? 'it has no model_type'
      : `the model_type ${quoted(modelType)} is not supported`;
  return inputError(
    'LMFLOW_MODEL_UNSUPPORTED',
    `${file}: ${what}; known are ${known.join(', ')}${nearest}`,
    {
      hint: 'Add the family with a plugin (MODEL_FAMILIES in the README of @lmflow/plugin-models).',
    },
  );
}

/** A setting of config.json changes what the model computes, and is not supported. */
export function settingUnsupported(
  file: string,
  key: string,
  value: unknown,
  reason: string,
): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_UNSUPPORTED',
    `${file}: "${key}": ${quoted(value)} is not supported: ${reason}`,
  );
}

/** A classifier (a reward model) was named where a model that writes text is needed. */
export function isAClassifier(file: string, name: string): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_CLASSIFIER',
    `${file}: a ${name} gives numbers for texts and writes none`,
    {
      hint: 'Use it with reward-model or reward-score, or name the language model it was made of.',
    },
  );
}

/** A classifier is needed, and the model has another number of labels, or cannot become one. */
export function notAClassifier(file: string, wanted: number, labels: number): LMFlowError {
  const what = labels > 0 ? `has ${labels} labels` : 'is of a family without classifiers';
  return inputError(
    'LMFLOW_MODEL_CLASSIFIER',
    `${file}: the model ${what}, but a head with ${wanted} is needed`,
    { hint: 'A reward model has one label.' },
  );
}

/** The folder has no weights. */
export function checkpointMissing(folder: string, found: readonly string[]): LMFlowError {
  const files = found.join(', ') || 'no files';
  return inputError(
    'LMFLOW_CHECKPOINT_MISSING',
    `${folder} has neither model.safetensors nor model.safetensors.index.json (it has ${files})`,
  );
}

/** The weights are pickle files, which run code when they are opened. */
export function checkpointPickle(folder: string, files: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_CHECKPOINT_PICKLE',
    `${folder} has its weights only in pickle files, which can run any code: ${files.join(', ')}`,
    {
      hint:
        'Take a revision with safetensors, or convert the model with Python if you trust it: ' +
        `from transformers import AutoModelForCausalLM as M; ` +
        `M.from_pretrained("${folder}").save_pretrained("${folder}", safe_serialization=True)`,
    },
  );
}

/** Tensors that the architecture needs are not in the checkpoint. */
export function tensorsMissing(
  where: string,
  missing: readonly { readonly name: string; readonly shape: Shape }[],
  hint?: string,
): LMFlowError {
  const list = some(missing.map(({ name, shape }) => `"${name}" ${sizes(shape)}`));
  return inputError(
    'LMFLOW_TENSOR_MISSING',
    `${where} lacks ${missing.length === 1 ? 'the tensor' : `${missing.length} tensors:`} ${list}`,
    hint === undefined ? {} : { hint },
  );
}

/** The checkpoint has tensors that the architecture of config.json does not have. */
export function tensorsUnexpected(
  where: string,
  family: string,
  unexpected: readonly { readonly name: string; readonly shape: Shape }[],
): LMFlowError {
  const list = some(unexpected.map(({ name, shape }) => `"${name}" ${sizes(shape)}`));
  const tensors = unexpected.length === 1 ? 'a tensor' : `${unexpected.length} tensors`;
  return inputError(
    'LMFLOW_TENSOR_UNEXPECTED',
    `${where} has ${tensors} that a ${family} of its config.json does not have: ${list}`,
    {
      hint: 'Take the config.json of these weights (attention_bias, mlp_bias, num_hidden_layers, architectures).',
    },
  );
}

/** A tensor has another shape than config.json says. */
export function tensorShape(
  file: string,
  name: string,
  expected: Shape,
  found: Shape,
): LMFlowError {
  return inputError(
    'LMFLOW_TENSOR_SHAPE',
    `${file}: the tensor "${name}" is ${sizes(found)}, but by config.json ${sizes(expected)}`,
  );
}

/** A weight is stored in numbers that are not floating point. */
export function tensorDtype(file: string, name: string, dtype: string): LMFlowError {
  return inputError(
    'LMFLOW_TENSOR_DTYPE',
    `${file}: the weight "${name}" is stored as ${dtype}, not as F32, F16, BF16 or F64`,
    {
      hint: 'Take a checkpoint in floating point, or one in the format pack-quantized of compressed-tensors.',
    },
  );
}

/** A part of a packed weight (codes, scales, shape, zero points) has numbers of the wrong type. */
export function packedDtype(
  file: string,
  name: string,
  dtype: string,
  expected: readonly string[],
): LMFlowError {
  return inputError(
    'LMFLOW_TENSOR_DTYPE',
    `${file}: "${name}" is stored as ${dtype}, in the format pack-quantized it is ${expected.join(' or ')}`,
  );
}

/** The numbers of a packed weight's `weight_shape` are not its shape. */
export function packedShape(
  file: string,
  name: string,
  expected: Shape,
  found: readonly number[],
): LMFlowError {
  return inputError(
    'LMFLOW_TENSOR_SHAPE',
    `${file}: "${name}" says ${sizes(found)}, config.json makes it ${sizes(expected)}`,
  );
}

/** Training needs weights in floating point, and the model has them in a few bits. */
export function trainingPacked(source: string): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_UNSUPPORTED',
    `the model ${source} is quantized for inference and cannot be trained`,
    {
      hint: 'Train the checkpoint in floating point, with the plugin qlora in 4 bits, and use the adapter on both.',
    },
  );
}

/** A tensor is in two files. */
export function tensorTwice(name: string, first: string, second: string): LMFlowError {
  return inputError(
    'LMFLOW_TENSOR_UNEXPECTED',
    `the tensor "${name}" is in both ${first} and ${second}`,
  );
}

/** The model does not have a weight that a building function or a plugin uses. */
export function weightUnknown(
  source: string,
  name: string,
  suggestion: string | undefined,
): LMFlowError {
  const nearest = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  return inputError(
    'LMFLOW_WEIGHT_UNKNOWN',
    `the model ${source} has no weight "${name}"${nearest}`,
  );
}

/** The sequence is longer than the model's table of learned positions. */
export function tooLong(source: string, length: number, longest: number): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_TOO_LONG',
    `the model ${source} has learned positions for ${longest} tokens, fewer than the ${length} of a sequence`,
    { hint: `Use blocks of at most ${longest} tokens.` },
  );
}

/** LMFLOW_ADAPTER_POSITIONS: the adapter was trained with other positions than the model has. */
export function basePositions(folder: string, trained: object, found: object): LMFlowError {
  const words = (positions: object): string =>
    Object.keys(positions).length === 0 ? 'those of the checkpoint' : JSON.stringify(positions);
  return inputError(
    'LMFLOW_ADAPTER_POSITIONS',
    `the adapter in ${folder} was trained with other positions (${words(trained)}) than the ` +
      `model has (${words(found)})`,
    { hint: 'Leave positionInterpolation out, or set it as in the training of every adapter.' },
  );
}

/** A plugin trains parameters that no checkpoint holds: they are neither weights nor an adapter's. */
export function parametersLeftOut(source: string, names: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_MODEL_PARAMETERS_LEFT_OUT',
    `${source} has parameters that are neither weights of the checkpoint nor of an adapter, ` +
      `and would be left out: ${some(names)}`,
    { hint: 'Leave out the plugin that declares them, or let it provide an adapter that merges.' },
  );
}

/** At most five names of a list, and how many more. */
function some(items: readonly string[]): string {
  return items.length <= 5
    ? items.join(', ')
    : `${items.slice(0, 5).join(', ')} and ${items.length - 5} more`;
}
