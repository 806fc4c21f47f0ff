// The errors of this engine, one builder each.
import { didYouMean, messageOf, type LMFlowError, failureError, usageError } from '@lmflow/sdk';
import { describe, type ValueType } from '@lmflow/sdk/graph';

/** onnxruntime-node, or its binary for this machine, cannot be loaded. */
export function runtimeMissing(cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_RUNTIME_MISSING',
    `onnxruntime-node cannot be loaded for ${process.platform}-${process.arch}: ${textOf(cause)}`,
    {
      hint: 'Install it with "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@~1.30.0" (skip leaves out CUDA only); binaries exist for Linux and Windows (x64, arm64) and macOS (arm64)',
      cause,
    },
  );
}

/** A graph cannot be turned into a session. */
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

/** The runtime failed while a program ran. */
export function runFailed(program: string, node: string | undefined, cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_RUN_FAILED',
    `the program "${program}" failed${node ? ` at ${node}` : ''}: ${textOf(cause)}`,
    { cause },
  );
}

/** A tensor that does not fit the program's input or output. */
export function tensorDoesNotFit(
  program: string,
  what: string,
  wanted: ValueType,
  given: string,
): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_TENSOR_INVALID',
    `the program "${program}" wants ${describe(wanted)} for ${what}, not ${given}`,
  );
}

/** A program or an engine was used after dispose(). */
export function disposed(program: string): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_DISPOSED',
    `the program "${program}" was used after it was disposed`,
  );
}

/** The chosen device is not there. */
export function deviceUnavailable(device: string, cause: unknown): LMFlowError {
  return usageError(
    'LMFLOW_DEVICE_UNAVAILABLE',
    `the device "${device}" cannot be used: ${textOf(cause)}`,
    {
      hint: 'Run "lmflow doctor" to see which devices work here; device: "cpu" always does',
      cause,
    },
  );
}

/** `device` names nothing this engine knows. */
export function deviceUnknown(device: string, known: readonly string[]): LMFlowError {
  const near = didYouMean(device, known);
  return usageError(
    'LMFLOW_DEVICE_UNKNOWN',
    `the engine "onnx" knows no device "${device}"${near ? `; did you mean "${near}"?` : ''}`,
    { hint: `Devices are ${known.join(', ')}` },
  );
}

/** The file of a weight is missing or too short. */
export function weightUnreadable(path: string, cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_WEIGHT_UNREADABLE',
    `the weights in ${path} cannot be read: ${textOf(cause)}`,
    { cause },
  );
}

/** A size that is to be free is written down as a number. */
export function sizeFixed(model: string, node: string, number: number): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_SIZE_FIXED',
    `the model "${model}" cannot have free sizes: the node ${node} has one as the number ${number}`,
    {
      hint: 'A lowering or a building function writes a size down in a way that cannot be computed at run time; leave its plugin out.',
    },
  );
}

/** A cause in one line. */
export function textOf(cause: unknown): string {
  return messageOf(cause).split('\n')[0]!.trim();
}
