// The errors of this engine, one function each.
import { didYouMean, messageOf, type LMFlowError, failureError, usageError } from '@lmflow/sdk';
import { describe, type ValueType } from '@lmflow/sdk/graph';

/** onnxruntime-node, or its binary for this machine, cannot be loaded. */
export function runtimeMissing(cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_RUNTIME_MISSING',
    `onnxruntime-node cannot be loaded for ${process.platform}-${process.arch}: ${textOf(cause)}`,
    {
      hint:
        'Run "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@~1.30.0" (skip leaves out CUDA only) ' +
        'on Linux or Windows (x64, arm64) or macOS (arm64).',
      cause,
    },
  );
}

/** A graph cannot be compiled. */
export function compileFailed(
  program: string,
  node: string | undefined,
  cause: unknown,
): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_COMPILE_FAILED',
    `the program "${program}" cannot be compiled${node ? `, at ${node}` : ''}: ${textOf(cause)}`,
    { cause },
  );
}

/** A run of a program failed. */
export function runFailed(program: string, node: string | undefined, cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_RUN_FAILED',
    `the program "${program}" failed${node ? ` at ${node}` : ''}: ${textOf(cause)}`,
    { cause },
  );
}

/** A tensor does not fit the program's input or output. */
export function tensorDoesNotFit(
  program: string,
  what: string,
  expected: ValueType,
  found: string,
): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_TENSOR_INVALID',
    `${what} of the program "${program}" must be ${describe(expected)}, found ${found}`,
  );
}

/** An array does not have the type and the size of the tensor that is made from it. */
export function arrayDoesNotFit(tensor: ValueType, problem: string): LMFlowError {
  return failureError('LMFLOW_ENGINE_TENSOR_INVALID', `the tensor ${describe(tensor)} ${problem}`);
}

/** A program is used after dispose(). */
export function disposed(program: string): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_DISPOSED',
    `the program "${program}" was used after it was disposed`,
  );
}

/** The chosen device does not work here. */
export function deviceUnavailable(device: string, cause: unknown): LMFlowError {
  return usageError(
    'LMFLOW_DEVICE_UNAVAILABLE',
    `the device "${device}" cannot be used: ${textOf(cause)}`,
    {
      hint: 'Run "lmflow doctor" to see which devices work, or set device to "cpu".',
      cause,
    },
  );
}

/** The engine has no device of that name. */
export function deviceUnknown(device: string, known: readonly string[]): LMFlowError {
  const near = didYouMean(device, known);
  return usageError(
    'LMFLOW_DEVICE_UNKNOWN',
    `the engine "onnx" has no device "${device}"${near ? `; did you mean "${near}"?` : ''}`,
    { hint: `Set device to one of ${known.join(', ')}.` },
  );
}

/** The file of a weight is missing or too short. */
export function weightUnreadable(path: string, cause: unknown, hint?: string): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_WEIGHT_UNREADABLE',
    `the weights in ${path} cannot be read: ${textOf(cause)}`,
    { cause, hint },
  );
}

/** A lowering writes a free size as a number. */
export function sizeFixed(model: string, node: string, number: number): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_SIZE_FIXED',
    `the model "${model}" cannot have free sizes: the node ${node} writes one as the number ${number}`,
    {
      hint: 'Leave out the plugin whose lowering or building function fixes that size.',
    },
  );
}

/** The first line of a cause's message. */
export function textOf(cause: unknown): string {
  return messageOf(cause).split('\n')[0]!.trim();
}
