// The errors of the export plugin, one builder each.
import { type LMFlowError, failureError, usageError, inputError } from '@lmflow/sdk';

const sizes = (shape: readonly number[] | undefined): string =>
  shape ? `[${shape.join(', ')}]` : 'absent';

/** A command of this plugin lacks a setting. */
export function settingMissing(command: string, key: string, example: string): LMFlowError {
  return usageError('LMFLOW_SETTING_MISSING', `${command} needs "${key}", which is not set`, {
    hint: `Add ${example}.`,
  });
}

/** The words after `lmflow delta` are not an action and two models. */
export function deltaUsage(words: readonly string[]): LMFlowError {
  const found = words.length === 0 ? 'nothing' : `"${words.join(' ')}"`;
  return usageError('LMFLOW_DELTA_USAGE', `delta takes an action and two models, not ${found}`, {
    hint: 'Run lmflow delta make <base> <tuned>, or lmflow delta apply <base> <delta>.',
  });
}

/** Merging, and the format peft, need an adapter. */
export function adapterMissing(command: string): LMFlowError {
  return usageError('LMFLOW_EXPORT_NO_ADAPTER', `${command} needs an adapter, and none is loaded`, {
    hint: 'Add --plugin lora --lora-adapter FOLDER, or ia3 or vera in place of lora for adapters of these methods.',
  });
}

/** A size of a shard is not a number of bytes. */
export function sizeInvalid(text: string): LMFlowError {
  return usageError('LMFLOW_EXPORT_SIZE', `--max-shard-size ${text} is not a size`, {
    hint: 'Write 5GB, 200MB, 1GiB, or a number of bytes.',
  });
}

/** No plugin contributes the export format. */
export function formatUnknown(format: string, known: readonly string[]): LMFlowError {
  return usageError('LMFLOW_EXPORT_FORMAT', `--format ${format} is not known`, {
    hint: `Choose one of ${known.join(', ')}.`,
  });
}

/** The format does not have the quantization. */
export function quantizationOfOtherFormat(
  quantization: string,
  format: string,
  known: readonly string[],
): LMFlowError {
  return usageError(
    'LMFLOW_EXPORT_FLAG',
    `--format ${format} has no --quantization ${quantization}`,
    { hint: `Choose one of ${known.join(', ')}.` },
  );
}

/** A flag belongs to another format. */
export function flagOfOtherFormat(flag: string, format: string, owners: string): LMFlowError {
  return usageError(
    'LMFLOW_EXPORT_FLAG',
    `--${flag} belongs to --format ${owners}, but the format is ${format}`,
    { hint: `Leave --${flag} out.` },
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
    `${base} and ${other} do not fit: the tensor ${tensor} is ${sizes(inBase)} in the first ` +
      `and ${sizes(inOther)} in the second`,
    { hint: 'Use two models of one architecture and vocabulary.' },
  );
}

/** The base is not the one that the delta was made with. */
export function deltaOtherBase(base: string, made: string, tensor: string): LMFlowError {
  return inputError(
    'LMFLOW_DELTA_OTHER_BASE',
    `${base} is not the base of this delta (${made}): its tensor ${tensor} has other numbers`,
    { hint: 'Use the revision of the base model that the delta was made with.' },
  );
}

/** Base + delta is not the tuned model: the delta's files were changed or damaged. */
export function deltaDamaged(delta: string, tensor: string): LMFlowError {
  return inputError(
    'LMFLOW_DELTA_DAMAGED',
    `${delta}: base + delta has another SHA-256 than the tuned model in the tensor ${tensor}`,
    { hint: 'Download or make the delta again.' },
  );
}

/** delta.json or delta_exact.safetensors is not what `lmflow delta make` writes. */
export function deltaInvalid(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_DELTA_INVALID', `${file} ${what}`, {
    hint: 'Download or make the delta again.',
  });
}

/** GGUF export does not have the model's family. */
export function ggufFamily(family: string, known: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_GGUF_FAMILY',
    `GGUF export has no family "${family}", only ${known.join(', ')}`,
    { hint: 'Export it as safetensors.' },
  );
}

/** llama.cpp does not compute the model with one of its settings. */
export function ggufUnsupported(source: string, what: string): LMFlowError {
  return inputError('LMFLOW_GGUF_UNSUPPORTED', `${source} cannot be exported as GGUF: ${what}`, {
    hint: 'Export it as safetensors.',
  });
}

/** GGUF does not have this kind of tokenizer. */
export function ggufTokenizer(source: string, what: string): LMFlowError {
  return inputError(
    'LMFLOW_GGUF_TOKENIZER',
    `the tokenizer of ${source} cannot be written to a GGUF file: ${what}`,
    { hint: 'Export the model as safetensors.' },
  );
}

/** The pre-tokenizer has no known name in GGUF, so readers would split texts differently. */
export function ggufPreTokenizer(
  source: string,
  found: string,
  known: readonly string[],
): LMFlowError {
  return inputError(
    'LMFLOW_GGUF_PRE_TOKENIZER',
    `the pre-tokenizer of ${source} has no known name in GGUF (${known.join(', ')}): ${found}`,
    { hint: 'Export the model as safetensors.' },
  );
}

/** float16 cannot hold a number of the tensor. */
export function outOfRange(tensor: string, value: number): LMFlowError {
  return usageError(
    'LMFLOW_EXPORT_RANGE',
    `the tensor ${tensor} has the number ${value}, which float16 cannot hold`,
    { hint: 'Export with --quantization f32.' },
  );
}

/** What was written, read back, is not what the model holds. */
export function writtenDiffers(file: string, what: string): LMFlowError {
  return failureError(
    'LMFLOW_EXPORT_DIFFERS',
    `${file} was written, but differs from the model when it is read back: ${what}`,
    { hint: 'Check the disk and export again.' },
  );
}

/** An ONNX model with dynamic sizes cannot compute what the model computes. */
export function onnxUnsupported(source: string, what: string): LMFlowError {
  return inputError('LMFLOW_ONNX_UNSUPPORTED', `${source} cannot be exported as ONNX: ${what}`, {
    hint: 'Export it as safetensors.',
  });
}

/** ONNX Runtime does not load or run what was exported. */
export function onnxNotRun(file: string, why: string, cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_ONNX_NOT_RUN',
    `${file} was written, but ONNX Runtime cannot decode with it: ${why}`,
    { hint: 'Export it as safetensors.', cause },
  );
}

/** A size that is to be dynamic is a fixed number in the graph. */
export function onnxAmbiguous(source: string): LMFlowError {
  return inputError(
    'LMFLOW_ONNX_AMBIGUOUS',
    `${source} cannot be exported as ONNX: its graph differs between lengths in more than sizes`,
    { hint: 'Leave out the plugin that uses the length as a fixed number.' },
  );
}
