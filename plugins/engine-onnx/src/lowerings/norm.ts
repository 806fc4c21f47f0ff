// Normalisations: the runtime's fused kernels also give the inverse deviations that the gradients
// need.
import { entry, type LoweringEntry } from './lowering.ts';

type Epsilon = { readonly epsilon: number };

function norm(opType: string): LoweringEntry {
  return entry<Epsilon>((emit, node) => {
    const outputs = emit.many(
      opType,
      emit.tensors(node.inputs),
      node.outputs.map((output, index) => index === 0 || emit.used(output)),
      { attributes: { axis: -1, epsilon: { float: node.attributes.epsilon }, stash_type: 1 } },
    );
    outputs.forEach((tensor, index) => {
      if (tensor) emit.set(node.outputs[index]!, tensor);
    });
  });
}

/** Lowerings of `rmsNorm` and `layerNorm` to ONNX Runtime's fused kernels. */
export const normalisation: Readonly<Record<string, LoweringEntry>> = {
  rmsNorm: norm('SimplifiedLayerNormalization'),
  layerNorm: norm('LayerNormalization'),
};
