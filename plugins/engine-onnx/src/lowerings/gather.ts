// Lowers ops that read rows by index, and add to them.
import type { Emitter } from '../onnx/emitter.ts';
import { ELEMENT_TYPES } from '../onnx/schema.ts';
import { entry, type LoweringEntry } from './lowering.ts';

/** Casts an int32 tensor to int64, which many operators require. */
export function toInt64(emit: Emitter, tensor: string): string {
  return emit.node('Cast', [tensor], { attributes: { to: ELEMENT_TYPES.int64 } });
}

/** Rows to add: updates [n, ...] to the rows that int32 `indices` [n] name. */
export interface Scatter {
  readonly indices: string;
  readonly updates: string;
}

/**
 * Adds rows to a copy of `data`, which has `axes` axes. By ScatterElements, since the runtime runs
 * ScatterND in parallel, and two updates of one row would race.
 */
export function emitScatter(
  emit: Emitter,
  data: string,
  axes: number,
  rows: readonly Scatter[],
): string {
  const joined = (tensors: readonly string[]): string =>
    tensors.length === 1 ? tensors[0]! : emit.node('Concat', tensors, { attributes: { axis: 0 } });
  const updates = joined(rows.map((scatter) => scatter.updates));
  const indices = toInt64(emit, joined(rows.map((scatter) => scatter.indices)));
  const inner = Array.from({ length: axes - 1 }, (_, axis) => axis + 1);
  const column = inner.length === 0 ? indices : emit.node('Unsqueeze', [indices, emit.ints(inner)]);
  return emit.node(
    'ScatterElements',
    [data, emit.node('Expand', [column, emit.node('Shape', [updates])]), updates],
    { attributes: { axis: 0, reduction: 'add' } },
  );
}

/** A float32 tensor of zeros. */
export function emitZeros(emit: Emitter, shape: readonly number[]): string {
  return emit.node('Expand', [emit.scalar(0), emit.ints(shape)]);
}

/** Lowerings of `gather`, `scatterAdd` and `takeLast`, which read and write by int32 indices. */
export const lookup: Readonly<Record<string, LoweringEntry>> = {
  gather: entry<{ readonly axis: number }>((emit, node) => {
    emit.set(
      node.outputs[0]!,
      emit.node('Gather', emit.tensors(node.inputs), {
        attributes: { axis: node.attributes.axis },
      }),
    );
  }),
  scatterAdd: entry((emit, node) => {
    const [indices, updates] = emit.tensors(node.inputs) as [string, string];
    emit.set(
      node.outputs[0]!,
      emitScatter(emit, emitZeros(emit, node.outputs[0]!.shape), node.outputs[0]!.shape.length, [
        { indices, updates },
      ]),
    );
  }),
  takeLast: entry((emit, node) => {
    const [x, indices] = emit.tensors(node.inputs) as [string, string];
    const places = emit.node('Unsqueeze', [indices, emit.ints([-1])]);
    emit.set(
      node.outputs[0]!,
      emit.node('Squeeze', [
        emit.node('GatherElements', [x, places], { attributes: { axis: -1 } }),
        emit.ints([-1]),
      ]),
    );
  }),
};
