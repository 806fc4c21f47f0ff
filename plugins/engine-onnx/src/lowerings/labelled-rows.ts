// Rows of a linear head that carry a label, in chunks: what the losses of a head share. On the CPU
// chunks have labelled rows only. Their number is known only at run time, so the number of chunks is
// static and the last ones may be short or empty: the cost depends on the labelled rows. Kernels of
// other devices refuse tensors without rows, so chunks have all rows there, and rows without a
// label have factor 0.
import { ELEMENT_TYPES } from '../onnx/schema.ts';
import type { Emitter } from '../onnx/emitter.ts';
import { emitZeros } from './gather.ts';

/** The rows that chunks are cut from. */
export interface LabelledRows {
  /** int64: the places of the rows in [N]. */
  readonly rows: string;
  /** The label of every row of [N]; no row of `rows` has a negative one. */
  readonly labels: string;
  /** 1 for each row with a label, 0 for the others; undefined if all of `rows` have labels. */
  readonly counts: string | undefined;
  /** Number of rows in [N]. */
  readonly count: number;
}

/** The rows of int32 labels [count] on the emitter's device. */
export function labelledRows(emit: Emitter, labels: string, count: number): LabelledRows {
  const zero = emit.constant(Int32Array.of(0), [], 'int32');
  const labelled = emit.node('GreaterOrEqual', [labels, zero]);
  if (emit.device === undefined || emit.device === 'cpu') {
    const rows = emit.node('Reshape', [emit.node('NonZero', [labelled]), emit.ints([-1])]);
    return { rows, labels, counts: undefined, count };
  }
  const counts = emit.node('Cast', [labelled], { attributes: { to: ELEMENT_TYPES.float32 } });
  return {
    rows: emit.ints(Array.from({ length: count }, (_, row) => row)),
    labels: emit.node('Max', [labels, zero]),
    counts: emit.node('Unsqueeze', [counts, emit.ints([-1])]),
    count,
  };
}

/** The places of the rows of one chunk. */
export function chunkAt(
  emit: Emitter,
  { rows, count }: LabelledRows,
  from: number,
  size: number,
): string {
  const end = Math.min(count, from + size);
  return emit.node('Slice', [rows, emit.ints([from]), emit.ints([end])]);
}

/** `values`, which have the places `index` along their first of two axes, 0 in rows without a label. */
export function counted(
  emit: Emitter,
  { counts }: LabelledRows,
  values: string,
  index: string,
): string {
  return counts ? emit.node('Mul', [values, emit.node('Gather', [counts, index])]) : values;
}

/** The chunks' results below each other. */
export function joined(emit: Emitter, parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : emit.node('Concat', parts, { attributes: { axis: 0 } });
}

/** Rows of the chunks at their places in a tensor of `shape`, zeros elsewhere. */
export function spread(
  emit: Emitter,
  { rows, counts }: LabelledRows,
  parts: readonly string[],
  options: { readonly shape: readonly number[]; readonly done?: string | undefined },
): string {
  // chunks of all rows are all rows
  if (counts) return joined(emit, parts);
  return emit.node('ScatterND', [
    emitZeros(emit, options.shape),
    emit.node('Unsqueeze', [after(emit, rows, options.done), emit.ints([-1])]),
    joined(emit, parts),
  ]);
}

/**
 * An int64 zero that depends on results of a chunk: scalars, and sums over both axes of `matrices`.
 * Added to the indices of the next chunk, it makes the runtime finish one chunk before the next:
 * otherwise it computes the losses of all chunks first and keeps all probabilities for the gradients.
 */
export function zeroOnceDone(
  emit: Emitter,
  scalars: readonly string[],
  matrices: readonly string[],
): string {
  const sums = matrices.map((tensor) =>
    emit.node('ReduceSum', [tensor, emit.ints([0, 1])], { attributes: { keepdims: 0 } }),
  );
  const all = [...scalars, ...sums];
  const odd = emit.node('IsNaN', [all.length > 1 ? emit.node('Sum', all) : all[0]!]);
  const flag = emit.node('Cast', [odd], { attributes: { to: ELEMENT_TYPES.int64 } });
  return emit.node('Mul', [flag, emit.constant(BigInt64Array.of(0n), [], 'int64')]);
}

/** `indices`, not before what `zero` depends on. */
export function after(emit: Emitter, indices: string, zero: string | undefined): string {
  return zero ? emit.node('Add', [indices, zero]) : indices;
}
