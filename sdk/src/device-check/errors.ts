// The error of a device that computes something else than the CPU.
import { failureError, type LMFlowError } from '../errors.ts';
import type { DifferingOp } from './differing-ops.ts';

/** The first program of its kind gave other results on the device than on the CPU. */
export function deviceWrong(
  device: string,
  program: string,
  differences: readonly string[],
  ops: readonly DifferingOp[],
): LMFlowError {
  const which =
    ops.length > 0
      ? `ops that differ: ${ops.map(({ name, detail }) => `${name} (${detail})`).join('; ')}`
      : 'none of its ops differs on its own';
  return failureError(
    'LMFLOW_DEVICE_WRONG',
    `the device "${device}" computes "${program}" otherwise than the CPU: ${differences.join('; ')}; ${which}`,
    { hint: 'Use --device cpu, and report the op with the driver that computes it.' },
  );
}
