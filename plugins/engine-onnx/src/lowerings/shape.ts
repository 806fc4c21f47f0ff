// Lowers ops that move, repeat or convert numbers, and reductions.
import type { Attributes, DType, Node, Shape } from '@lmflow/sdk/graph';
import { ELEMENT_TYPES } from '../onnx/schema.ts';
import type { Emitter } from '../onnx/emitter.ts';
import { entry, type LoweringEntry } from './lowering.ts';

type Reduction = { readonly axes: readonly number[]; readonly keepDims: boolean };

function reduction(opType: string): LoweringEntry {
  return entry<Reduction>((emit, node) => {
    const { axes, keepDims } = node.attributes;
    const [x] = emit.tensors(node.inputs) as [string];
    // No axes means all axes in ONNX and none in the op.
    emit.set(
      node.outputs[0]!,
      axes.length === 0
        ? x
        : emit.node(opType, [x, emit.ints(axes)], { attributes: { keepdims: Number(keepDims) } }),
    );
  });
}

/** Emits a Reshape. */
export function reshapeTo(emit: Emitter, x: string, shape: Shape): string {
  return emit.node(
    'Reshape',
    [x, emit.target(shape)],
    shape.includes(0) ? { attributes: { allowzero: 1 } } : {},
  );
}

const set = <A extends Attributes>(emit: Emitter, node: Node<A>, tensor: string): void =>
  emit.set(node.outputs[0]!, tensor);

/** Lowerings of ops that move, repeat, cut or convert numbers. */
export const shape: Readonly<Record<string, LoweringEntry>> = {
  reshape: entry<{ readonly shape: Shape }>((emit, node) =>
    set(emit, node, reshapeTo(emit, emit.tensor(node.inputs[0]!), node.attributes.shape)),
  ),
  transpose: entry<{ readonly permutation: readonly number[] }>((emit, node) => {
    set(
      emit,
      node,
      emit.node('Transpose', emit.tensors(node.inputs), {
        attributes: { perm: node.attributes.permutation },
      }),
    );
  }),
  // A Reshape costs nothing, and it waits for its shape: here that includes an empty part of the
  // shape of each of the others.
  after: entry((emit, node) => {
    const [x, ...others] = emit.tensors(node.inputs) as [string, ...string[]];
    const nothing = others.map((other) =>
      emit.node('Shape', [other], { attributes: { start: 0, end: 0 } }),
    );
    set(
      emit,
      node,
      emit.node(
        'Reshape',
        [
          x,
          emit.node('Concat', [...nothing, emit.ints(node.inputs[0]!.shape)], {
            attributes: { axis: 0 },
          }),
        ],
        node.inputs[0]!.shape.includes(0) ? { attributes: { allowzero: 1 } } : {},
      ),
    );
  }),
  slice: entry<{ readonly starts: readonly number[]; readonly ends: readonly number[] }>(
    (emit, node) => {
      const { starts, ends } = node.attributes;
      const [x] = node.inputs;
      const axes = starts
        .map((_, axis) => axis)
        .filter((axis) => starts[axis] !== 0 || ends[axis] !== x!.shape[axis]);
      const at = (bounds: readonly number[]): string =>
        emit.ints(axes.map((axis) => bounds[axis]!));
      set(
        emit,
        node,
        axes.length === 0
          ? emit.tensor(x!)
          : emit.node('Slice', [emit.tensor(x!), at(starts), at(ends), emit.ints(axes)]),
      );
    },
  ),
  pad: entry<{ readonly before: readonly number[]; readonly after: readonly number[] }>(
    (emit, node) => {
      set(
        emit,
        node,
        emit.node('Pad', [
          emit.tensor(node.inputs[0]!),
          emit.ints([...node.attributes.before, ...node.attributes.after]),
        ]),
      );
    },
  ),
  concat: entry<{ readonly axis: number }>((emit, node) => {
    set(
      emit,
      node,
      emit.node('Concat', emit.tensors(node.inputs), {
        attributes: { axis: node.attributes.axis },
      }),
    );
  }),
  broadcastTo: entry<{ readonly shape: Shape }>((emit, node) => {
    set(
      emit,
      node,
      emit.node('Expand', [emit.tensor(node.inputs[0]!), emit.ints(node.attributes.shape)]),
    );
  }),
  cast: entry<{ readonly dtype: DType }>((emit, node) => {
    // The cast of a weight is repeated in each run, since its result would take much memory.
    const again = node.inputs[0]!.source.kind === 'weight';
    set(
      emit,
      node,
      emit.node('Cast', emit.tensors(node.inputs), {
        attributes: { to: ELEMENT_TYPES[node.attributes.dtype] },
        again,
      }),
    );
  }),
  sum: reduction('ReduceSum'),
  max: reduction('ReduceMax'),
};
