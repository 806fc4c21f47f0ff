// Lowers rotary embedding to a kernel of the runtime, which reads rows [B, T, H x D] without a
// transposition.
import { entry, type LoweringEntry } from './lowering.ts';
import { reshapeTo } from './shape.ts';
import { toInt64 } from './gather.ts';

/** The lowering of `rope` to ONNX Runtime's RotaryEmbedding. */
export const rotary: Readonly<Record<string, LoweringEntry>> = {
  rope: entry(
    (emit, node) => {
      const [x, cos, sin, positions] = node.inputs;
      const [batch, length, heads, width] = x!.shape as [number, number, number, number];
      const rows = reshapeTo(emit, emit.tensor(x!), [batch, length, heads * width]);
      const rotated = emit.node(
        'RotaryEmbedding',
        [rows, toInt64(emit, emit.tensor(positions!)), emit.tensor(cos!), emit.tensor(sin!)],
        { domain: 'com.microsoft', attributes: { interleaved: 0 } },
      );
      emit.set(node.outputs[0]!, reshapeTo(emit, rotated, x!.shape));
      // The kernel refuses sequences longer than the tables, though positions may repeat.
    },
    (node) => node.inputs[0]!.shape[1]! <= node.inputs[1]!.shape[0]!,
  ),
};
