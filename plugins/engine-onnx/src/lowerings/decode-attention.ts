// Lowers a decoding step's attention to a kernel of the runtime. The kernel reads only the filled
// places of the cache, and writes the new token in place if the run's output is the cache's tensor.
// It can also rotate q and k, and read q, k and v from one matrix.
import type { DecodeAttentionAttributes, Node, Value } from '@lmflow/sdk/graph';
import type { Emitter } from '../onnx/emitter.ts';
import { toInt64 } from './gather.ts';
import { entry, type LoweringEntry } from './lowering.ts';
import { reshapeTo } from './shape.ts';

/** q and k before the rotation, its tables and its int32 positions [B, 1]. */
export interface Rotation {
  readonly q: Value;
  readonly k: Value;
  readonly cos: Value;
  readonly sin: Value;
  readonly positions: Value;
}

/**
 * Whether the kernel computes a node: it takes a cache of one place for a prompt, and reads heads
 * in groups of eight numbers.
 */
export function fitsDecodeKernel({ inputs: [q, , , keys] }: Node): boolean {
  return q!.dtype === 'float32' && keys!.shape[2]! > 1 && keys!.shape[3]! % 8 === 0;
}

/**
 * Emits the kernel. `packed`: q, k and v side by side, [B, (H + 2 Hkv) x D], before they are
 * rotated.
 */
export function emitDecodeAttention(
  emit: Emitter,
  node: Node<DecodeAttentionAttributes>,
  rotation?: Rotation,
  packed?: Value,
): void {
  const { window, scale } = node.attributes;
  const [q, k, v, keys, values, lengths] = node.inputs as [
    Value,
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const [batch, groups, size, width] = keys.shape as [number, number, number, number];
  const heads = q.shape[2]!;
  const rows = (x: Value, count: number): string =>
    reshapeTo(emit, emit.tensor(x), [batch, 1, count * width]);
  // The kernel sizes its scores by the longest row; the size of the cache fits every step.
  const longest = emit.constant(Int32Array.of(size), [], 'int32');
  const turning = rotation
    ? [
        emit.tensor(rotation.cos),
        emit.tensor(rotation.sin),
        toInt64(emit, emit.tensor(rotation.positions)),
      ]
    : [];
  const tokens = packed
    ? [rows(packed, heads + 2 * groups), '', '']
    : [rows(rotation?.q ?? q, heads), rows(rotation?.k ?? k, groups), rows(v, groups)];
  const inputs = [...tokens, ...emit.tensors([keys, values, lengths]), longest, ...turning];
  const [result, ...caches] = emit.nodeWithOutputs('GroupQueryAttention', inputs, 3, {
    domain: 'com.microsoft',
    attributes: {
      num_heads: heads,
      kv_num_heads: groups,
      scale: { float: scale },
      local_window_size: window === 0 ? -1 : window,
      do_rotary: Number(rotation !== undefined),
    },
  }) as [string, string, string];
  emit.set(node.outputs[0]!, reshapeTo(emit, result, node.outputs[0]!.shape));
  caches.forEach((tensor, index) => emit.set(node.outputs[index + 1]!, tensor));
}

/**
 * The lowering of `decodeAttention`: ONNX Runtime's GroupQueryAttention on a cache that it writes
 * in place. Kernels of other devices than the CPU make a new cache and do not write its free
 * places, which may then hold numbers that are not finite.
 */
export const decoding: Readonly<Record<string, LoweringEntry>> = {
  decodeAttention: entry<DecodeAttentionAttributes>(
    (emit, node) => {
      emitDecodeAttention(emit, node);
    },
    fitsDecodeKernel,
    ['cpu'],
  ),
};
