// A decoding step's attention by the runtime's own kernel. It reads only the places that are filled, and where a run's output is the cache's
// own tensor it writes the new token there and copies nothing.
import type { DecodeAttentionAttributes } from '@lmflow/sdk/graph';
import { entry, type LoweringEntry } from './lowering.ts';
import { reshapeTo } from './shape.ts';

export const decoding: Readonly<Record<string, LoweringEntry>> = {
  decodeAttention: entry<DecodeAttentionAttributes>((emit, node) => {
    const { window, scale } = node.attributes;
    const [q, k, v, keys, values, lengths] = node.inputs.map((input) => emit.tensor(input)) as [string, string, string, string, string, string];
    const [batch, groups, size, width] = node.inputs[3]!.shape as [number, number, number, number];
    const heads = node.inputs[0]!.shape[2]!;
    const rows = (tensor: string, count: number): string => reshapeTo(emit, tensor, [batch, 1, count * width]);
    // The kernel takes the longest row's length for the size of its scores; the size of the cache does for every step.
    const longest = emit.constant(Int32Array.of(size), [], 'int32');
    const [result, newKeys, newValues] = emit.many('GroupQueryAttention', [rows(q, heads), rows(k, groups), rows(v, groups), keys, values, lengths, longest], 3, {
      domain: 'com.microsoft',
      attributes: { num_heads: heads, kv_num_heads: groups, scale: { float: scale }, local_window_size: window === 0 ? -1 : window },
    }) as [string, string, string];
    emit.set(node.outputs[0]!, reshapeTo(emit, result, node.outputs[0]!.shape));
    emit.set(node.outputs[1]!, newKeys);
    emit.set(node.outputs[2]!, newValues);
  // A cache of one place looks to the kernel like a prompt; heads are read eight numbers at a time.
  }, ({ inputs: [q, , , keys] }) => q!.dtype === 'float32' && keys!.shape[2]! > 1 && keys!.shape[3]! % 8 === 0),
};
