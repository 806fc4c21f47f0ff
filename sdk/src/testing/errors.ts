// The errors of the engine on the interpreter.
import { failureError, type LMFlowError } from '../errors.ts';
import { describe, type ValueType } from '../graph/index.ts';

/** An array or a tensor does not have the type that an input, an output or an upload needs. */
export function tensorInvalid(what: string, wanted: ValueType, found: string): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_TENSOR_INVALID',
    `${what} needs ${describe(wanted)}, not ${found}`,
  );
}

/** A program was used after dispose(). */
export function programDisposed(name: string): LMFlowError {
  return failureError(
    'LMFLOW_ENGINE_DISPOSED',
    `the program "${name}" was used after it was disposed`,
  );
}
