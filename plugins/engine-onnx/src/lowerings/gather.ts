// Looking rows up and adding them back.
import type { Emitter } from '../onnx/emitter.ts';
import { ELEMENT_TYPES } from '../onnx/schema.ts';
import { entry, type LoweringEntry } from './lowering.ts';

/** Casts an int32 tensor to int64, which many operators insist on. */
export function toInt64(emit: Emitter, tensor: string): string {
  return emit.one('Cast', [tensor], { attributes: { to: ELEMENT_TYPES.int64 } });
}

/**
 * Adds updates [n, ...] (shape `shape`) to rows of `data` [size, ...] named by `indices` [n].
 * ScatterElements, not ScatterND: the runtime runs ScatterND in parallel, and rows named twice would race.
 */
export function emitScatterAdd(emit: Emitter, data: string, indices: string, updates: string, shape: readonly number[]): string {
  const column = emit.one('Reshape', [indices, emit.ints([shape[0]!, ...shape.slice(1).map(() => 1)])]);
  const places = emit.one('Expand', [toInt64(emit, column), emit.ints(shape)]);
  return emit.one('ScatterElements', [data, places, updates], { attributes: { axis: 0, reduction: 'add' } });
}

/** A float32 tensor of zeros. */
export function emitZeros(emit: Emitter, shape: readonly number[]): string {
  return emit.one('Expand', [emit.scalar(0), emit.ints(shape)]);
}

export const lookup: Readonly<Record<string, LoweringEntry>> = {
  gather: entry<{ readonly axis: number }>((emit, node) => {
    emit.set(node.outputs[0]!, emit.one('Gather', emit.tensors(node.inputs), { attributes: { axis: node.attributes.axis } }));
  }),
  scatterAdd: entry((emit, node) => {
    const [indices, updates] = emit.tensors(node.inputs) as [string, string];
    emit.set(node.outputs[0]!, emitScatterAdd(emit, emitZeros(emit, node.outputs[0]!.shape), indices, updates, node.inputs[1]!.shape));
  }),
  takeLast: entry((emit, node) => {
    const [x, indices] = emit.tensors(node.inputs) as [string, string];
    const places = emit.one('Unsqueeze', [indices, emit.ints([-1])]);
    emit.set(node.outputs[0]!, emit.one('Squeeze', [emit.one('GatherElements', [x, places], { attributes: { axis: -1 } }), emit.ints([-1])]));
  }),
};
