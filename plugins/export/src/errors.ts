// The errors of the export plugin, one builder each.
import { type LMFlowError, usageError, inputError } from '@lmflow/sdk';

const sizes = (shape: readonly number[] | undefined): string =>
  shape ? `[${shape.join(', ')}]` : 'absent';

/** A command of this plugin lacks a setting. */
export function settingMissing(command: string, key: string, example: string): LMFlowError {
  return usageError('LMFLOW_SETTING_MISSING', `${command} needs "${key}", which is not set`, {
    hint: `Say ${example}.`,
  });
}

/** The words after `lmflow delta` are not an action and two models. */
export function deltaUsage(given: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_DELTA_USAGE',
    `delta takes an action and two models, not ${given.length === 0 ? 'nothing' : `"${given.join(' ')}"`}`,
    {
      hint: 'Say lmflow delta make <base> <tuned> --output-dir delta, or lmflow delta apply <base> <delta> --output-dir tuned.',
    },
  );
}

/** Merging, and the format peft, need an adapter. */
export function adapterMissing(command: string): LMFlowError {
  return usageError('LMFLOW_EXPORT_NO_ADAPTER', `${command} needs an adapter, and none is loaded`, {
    hint: 'Say --lora-adapter FOLDER, with the plugin lora loaded (--plugin lora). A model without one is written by lmflow export --format safetensors.',
  });
}

/** A size of a shard is not a number of bytes. */
export function sizeInvalid(text: string): LMFlowError {
  return usageError('LMFLOW_EXPORT_SIZE', `--max-shard-size ${text} is not a size`, {
    hint: 'Say 5GB, 200MB, 1GiB, or a number of bytes.',
  });
}

/** There is no such export format. */
export function formatUnknown(format: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_EXPORT_FORMAT',
    `--format ${format} is not known; formats are ${known.join(', ')}`,
  );
}

/** The numbers asked for are another format's. */
export function quantizationOfOtherFormat(
  quantization: string,
  format: string,
  known: readonly string[],
): LMFlowError {
  return usageError(
    'LMFLOW_EXPORT_FLAG',
    `--format ${format} has no --quantization ${quantization}; it has ${known.join(', ')}`,
  );
}

/** A flag belongs to another format. */
export function flagOfOtherFormat(flag: string, format: string, its: string): LMFlowError {
  return usageError(
    'LMFLOW_EXPORT_FLAG',
    `--${flag} belongs to --format ${its}; the format here is ${format}`,
  );
}

/** Base and tuned model (or base and delta) do not have the same tensors. */
export function deltaMismatch(
  base: string,
  other: string,
  tensor: string,
  inBase: readonly number[] | undefined,
  inOther: readonly number[] | undefined,
): LMFlowError {
  return inputError(
    'LMFLOW_DELTA_MISMATCH',
    `${base} and ${other} do not fit: the tensor ${tensor} is ${sizes(inBase)} in the first, ${sizes(inOther)} in the second`,
    { hint: 'Delta weights are the difference of two models of one architecture and vocabulary.' },
  );
}

/** The base is not the one that the delta was made with. */
export function deltaOtherBase(base: string, made: string, tensor: string): LMFlowError {
  return inputError(
    'LMFLOW_DELTA_OTHER_BASE',
    `${base} is not the base of this delta (${made}): the tensor ${tensor} has other numbers`,
    { hint: 'Take the very revision of the base model that the delta was made with.' },
  );
}

/** Base and delta do not give the tuned model: the delta's files were changed or damaged. */
export function deltaDamaged(delta: string, tensor: string): LMFlowError {
  return inputError(
    'LMFLOW_DELTA_DAMAGED',
    `${delta}: base and delta do not give the tensor ${tensor} that the delta was made of (SHA-256 differs)`,
    { hint: 'Get the delta again.' },
  );
}

/** delta.json or delta_exact.safetensors is not what `lmflow delta make` writes. */
export function deltaInvalid(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_DELTA_INVALID', `${file} ${what}`);
}

/** GGUF export does not have this family of models. */
export function ggufFamily(family: string, known: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_GGUF_FAMILY',
    `models of the family "${family}" cannot be exported as GGUF; ${known.join(', ')} can`,
    { hint: 'Export it as safetensors.' },
  );
}

/**
 * A setting of the model changes what it computes in a way that llama.cpp does not have for its
 * architecture.
 */
export function ggufUnsupported(source: string, what: string): LMFlowError {
  return inputError('LMFLOW_GGUF_UNSUPPORTED', `${source} cannot be exported as GGUF: ${what}`, {
    hint: 'Export it as safetensors.',
  });
}

/** The tokenizer is of a kind that GGUF does not hold. */
export function ggufTokenizer(source: string, what: string): LMFlowError {
  return inputError(
    'LMFLOW_GGUF_TOKENIZER',
    `the tokenizer of ${source} cannot be written to a GGUF file: ${what}`,
  );
}

/** The pre-tokenizer has no name in GGUF, so readers would cut texts differently. */
export function ggufPreTokenizer(
  source: string,
  found: string,
  known: readonly string[],
): LMFlowError {
  return inputError(
    'LMFLOW_GGUF_PRE_TOKENIZER',
    `the pre-tokenizer of ${source} has no name in GGUF that is known here, and a wrong one would change how texts are cut: ${found}`,
    { hint: `Known are ${known.join(', ')}.` },
  );
}

/** A number does not fit the chosen precision. */
export function outOfRange(tensor: string, value: number): LMFlowError {
  return usageError(
    'LMFLOW_EXPORT_RANGE',
    `the tensor ${tensor} has the number ${value}, which float16 cannot hold`,
    { hint: 'Export with --quantization f32.' },
  );
}

/** A model cannot be computed by an ONNX model of free sizes as it is computed here. */
export function onnxUnsupported(source: string, what: string): LMFlowError {
  return inputError('LMFLOW_ONNX_UNSUPPORTED', `${source} cannot be exported as ONNX: ${what}`, {
    hint: 'Export it as safetensors.',
  });
}

/**
 * The graph depends on the sizes that are to be free in a way that cannot be computed at run time.
 */
export function onnxAmbiguous(source: string): LMFlowError {
  return inputError(
    'LMFLOW_ONNX_AMBIGUOUS',
    `${source} cannot be exported as ONNX: traced for other lengths, its graph is another one`,
    {
      hint: 'A plugin that wraps building functions has written a length down as a number; leave it out.',
    },
  );
}
