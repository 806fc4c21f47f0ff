// The ONNX nodes for the ops of ops.ts and blocks.ts: ONNX Runtime's GroupQueryAttention, as in the
// models that transformers.js runs, and a few standard nodes.
import { lowering, type LoweringRow } from '@lmflow/sdk';
import type { Emitter, Lowering } from '@lmflow/plugin-engine-onnx';
import { blockProductOp, lowerBlockProduct } from './blocks.ts';
import { carriedAttentionOp, lastRowsOp, placesOp, type PlacesAttributes } from './ops.ts';

const INT32 = 6;

/** Larger than any length, and divisible by no stand-in for a size. */
const END = 2 ** 31 - 1;

const scalar = (emit: Emitter, size: number): string => emit.node('Squeeze', [emit.ints([size])]);
const int32 = (emit: Emitter, tensor: string): string =>
  emit.node('Cast', [tensor], { attributes: { to: INT32 } });

const attention: Lowering = (emit, node) => {
  const [q, k, v, keys, values, bias] = node.inputs;
  const [batch, length, heads, width] = q!.shape as [number, number, number, number];
  const groups = k!.shape[2]!;
  const rows = (x: typeof q, count: number): string =>
    emit.node('Reshape', [emit.tensor(x!), emit.target([batch, length, count * width])]);
  const total = int32(emit, scalar(emit, keys!.shape[2]! + length));
  // Every row of the batch has the longest length: the bias hides padding on the left.
  const last = emit.node('Expand', [
    emit.node('Sub', [total, emit.constant(Int32Array.of(1), [], 'int32')]),
    emit.ints([batch]),
  ]);
  const [seen, allKeys, allValues] = emit.nodeWithOutputs(
    'GroupQueryAttention',
    [
      rows(q, heads),
      rows(k, groups),
      rows(v, groups),
      emit.tensor(keys!),
      emit.tensor(values!),
      last,
      total,
      '',
      '',
      '',
      emit.tensor(bias!),
    ],
    3,
    {
      domain: 'com.microsoft',
      attributes: {
        num_heads: heads,
        kv_num_heads: groups,
        scale: { float: 1 / Math.sqrt(width) },
      },
    },
  );
  emit.set(node.outputs[0]!, emit.node('Reshape', [seen!, emit.target(q!.shape)]));
  emit.set(node.outputs[1]!, allKeys!);
  emit.set(node.outputs[2]!, allValues!);
};

const range: Lowering<PlacesAttributes> = (emit, node) => {
  const { from, to } = node.attributes;
  emit.set(
    node.outputs[0]!,
    int32(emit, emit.node('Range', [scalar(emit, from), scalar(emit, to), scalar(emit, 1)])),
  );
};

const last: Lowering = (emit, node) => {
  const [x, count] = emit.tensors(node.inputs) as [string, string];
  const start = emit.node('Reshape', [emit.node('Neg', [count]), emit.ints([1])]);
  emit.set(node.outputs[0]!, emit.node('Slice', [x, start, emit.ints([END]), emit.ints([1])]));
};

/** Rows of LOWERINGS. */
export const onnxLowerings: readonly LoweringRow[] = [
  lowering('onnx', carriedAttentionOp, attention),
  lowering('onnx', placesOp, range),
  lowering('onnx', lastRowsOp, last),
  lowering('onnx', blockProductOp, lowerBlockProduct),
];
