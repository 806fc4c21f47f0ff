// Lowers normalisations to fused kernels of the runtime. On most devices the kernels also compute
// the inverse deviations, which the gradients need.
import type { Emitter } from '../onnx/emitter.ts';
import { entry, type LoweringEntry } from './lowering.ts';

type Epsilon = { readonly epsilon: number };

/**
 * Devices whose kernels do not write the further outputs (mean, inverse deviation), as in ONNX Runtime
 * 1.30 with every driver. Other nodes compute them there.
 */
const RESULT_ONLY: readonly string[] = ['webgpu'];

/** Emits the outputs after the result, from the rows of x. */
type Statistics = (emit: Emitter, x: string, epsilon: number) => readonly string[];

function norm(opType: string, statistics: Statistics): LoweringEntry {
  return entry<Epsilon>((emit, node) => {
    const { epsilon } = node.attributes;
    const inputs = emit.tensors(node.inputs);
    const [result, ...others] = node.outputs;
    const read = others.map((output) => emit.used(output));
    const beside = RESULT_ONLY.includes(emit.device ?? '') && read.includes(true);
    const tensors = emit.nodeWithOutputs(opType, inputs, [true, ...(beside ? [] : read)], {
      attributes: { axis: -1, epsilon: { float: epsilon }, stash_type: 1 },
    });
    emit.set(result!, tensors[0]!);
    const further = beside ? statistics(emit, inputs[0]!, epsilon) : tensors.slice(1);
    further.forEach((tensor, index) => {
      if (tensor) emit.set(others[index]!, tensor);
    });
  });
}

function meanOf(emit: Emitter, rows: string): string {
  return emit.node('ReduceMean', [rows, emit.ints([-1])]);
}

/** 1 / sqrt(mean(x^2) + epsilon) of each row. */
function inverseRoot(emit: Emitter, rows: string, epsilon: number): string {
  const power = emit.node('Add', [
    meanOf(emit, emit.node('Mul', [rows, rows])),
    emit.scalar(epsilon),
  ]);
  return emit.node('Reciprocal', [emit.node('Sqrt', [power])]);
}

/** Lowerings of `rmsNorm` and `layerNorm` to ONNX Runtime's fused kernels. */
export const normalisation: Readonly<Record<string, LoweringEntry>> = {
  rmsNorm: norm('SimplifiedLayerNormalization', (emit, x, epsilon) => [
    inverseRoot(emit, x, epsilon),
  ]),
  layerNorm: norm('LayerNormalization', (emit, x, epsilon) => {
    const center = meanOf(emit, x);
    return [center, inverseRoot(emit, emit.node('Sub', [x, center]), epsilon)];
  }),
};
