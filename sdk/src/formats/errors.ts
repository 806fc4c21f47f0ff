// The errors of the file formats, one builder each.
import { messageOf, type LMFlowError, inputError } from '../errors.ts';

/** The file is not a safetensors file, or its header contradicts itself or the file's length. */
export function safetensorsInvalid(file: string, what: string, hint?: string): LMFlowError {
  return inputError(
    'LMFLOW_SAFETENSORS_INVALID',
    `${file} is not a valid safetensors file: ${what}`,
    hint === undefined ? {} : { hint },
  );
}

/** The file ends before its header says it does. */
export function safetensorsTruncated(file: string, expected: number, found: number): LMFlowError {
  return inputError(
    'LMFLOW_SAFETENSORS_TRUNCATED',
    `${file} is cut short: its header promises ${expected} bytes, the file has ${found}`,
    { hint: 'Get the file again, complete and not as a Git LFS pointer.' },
  );
}

/** A tensor has an element type that cannot be used here. */
export function safetensorsDtype(
  file: string,
  tensor: string,
  dtype: string,
  known: readonly string[],
): LMFlowError {
  return inputError(
    'LMFLOW_SAFETENSORS_DTYPE',
    `${file}: the tensor "${tensor}" has the element type ${dtype}, not one of ${known.join(', ')}`,
  );
}

/** The file lacks a tensor. */
export function safetensorsTensorMissing(file: string, tensor: string): LMFlowError {
  return inputError('LMFLOW_SAFETENSORS_TENSOR_MISSING', `${file} has no tensor "${tensor}"`);
}

/** The file could not be opened or read. */
export function safetensorsUnreadable(file: string, cause: unknown): LMFlowError {
  return inputError(
    'LMFLOW_SAFETENSORS_UNREADABLE',
    `${file} cannot be read: ${messageOf(cause)}`,
    { cause },
  );
}

/** The numbers of a tensor to write do not fit its shape. */
export function safetensorsData(
  file: string,
  tensor: string,
  expected: number,
  found: number,
): LMFlowError {
  return inputError(
    'LMFLOW_SAFETENSORS_DATA',
    `${file}: the tensor "${tensor}" needs ${expected} numbers for its shape, got ${found}`,
  );
}

/** model.safetensors.index.json is malformed, or names a shard or tensor that is not there. */
export function safetensorsIndex(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_SAFETENSORS_INDEX', `${file}: ${what}`);
}

/** A file that the index names is absent. */
export function safetensorsShardMissing(
  index: string,
  shard: string,
  tensors: number,
): LMFlowError {
  return inputError(
    'LMFLOW_SAFETENSORS_SHARD_MISSING',
    `the shard ${shard} is missing, in which ${index} has ${tensors} tensor${tensors === 1 ? '' : 's'}`,
    { hint: 'Put all shards of the checkpoint into one folder.' },
  );
}
