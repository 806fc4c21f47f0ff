// ONNX's two loops, written down in one call each.
import type { BodyTensor, Emitter } from '@lmflow/plugin-engine-onnx';
import type { DType } from '@lmflow/sdk/graph';

/** A tensor that a body runs over, and the type of one element of its first axis. */
export interface Over {
  readonly tensor: string;
  readonly type: BodyTensor;
}

/**
 * Scan: `build` for each element of the first axis of `over`, which it sees without a copy; its
 * results lie one after another in those of the Scan.
 */
export function scan(
  emit: Emitter,
  over: readonly Over[],
  outputs: readonly BodyTensor[],
  build: (...elements: string[]) => readonly string[],
): string[] {
  const body = emit.body({ inputs: over.map(({ type }) => type), outputs, build });
  return emit.nodeWithOutputs(
    'Scan',
    over.map(({ tensor }) => tensor),
    outputs.length,
    { again: true, attributes: { num_scan_inputs: over.length, body: { graph: body } } },
  );
}

export interface LoopOptions {
  /** How often, an int64 scalar. */
  readonly trips: string;
  readonly dtype: DType;
  /** What is handed from one iteration to the next; its shape may change. */
  readonly carried: readonly string[];
  /** Shapes of what each iteration leaves; the Loop gives them one after another. */
  readonly left: readonly (readonly number[])[];
  /**
   * Gets the iteration (int64 scalar) and what is carried; gives what is carried on, then what is
   * left.
   */
  readonly build: (iteration: string, ...carried: string[]) => readonly string[];
}

/** Loop: gives what was carried to the end, then what the iterations left. */
export function loop(emit: Emitter, { trips, dtype, carried, left, build }: LoopOptions): string[] {
  const any = carried.map((): BodyTensor => ({ dtype }));
  const body = emit.body({
    inputs: [{ dtype: 'int64', shape: [] }, { dtype: 'bool', shape: [] }, ...any],
    outputs: [{ dtype: 'bool', shape: [] }, ...any, ...left.map((shape) => ({ dtype, shape }))],
    build: (iteration, going, ...values) => [
      emit.node('Identity', [going]),
      ...build(iteration, ...values),
    ],
  });
  return emit.nodeWithOutputs('Loop', [trips, '', ...carried], carried.length + left.length, {
    again: true,
    attributes: { body: { graph: body } },
  });
}
