// A decoding step's attention by the runtime's own kernel. It reads only the places that are
// filled, and where a run's output is the cache's own tensor it writes the new token there and
// copies nothing. It can rotate q and k itself, and take q, k and v in one.
import type { DecodeAttentionAttributes, Node, Value } from '@lmflow/sdk/graph';
import type { Emitter } from '../onnx/emitter.ts';
import { toInt64 } from './gather.ts';
import { entry, type LoweringEntry } from './lowering.ts';
import { reshapeTo } from './shape.ts';

/** q and k before they are rotated, and the rotation's tables and int32 positions [B, 1]. */
export interface Rotation {
  readonly q: Value;
  readonly k: Value;
  readonly cos: Value;
  readonly sin: Value;
  readonly positions: Value;
}

/**
 * Whether the kernel computes a node: a cache of one place looks to it like a prompt; heads are
 * read eight numbers at a time.
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
  // The kernel takes the longest row's length for the size of its scores; the size of the cache
  // does for every step.
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
 * in place. The kernels of other devices than the CPU make a new cache and leave its free places as
 * their memory was, which need not be finite.
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
