import { add, grad, Graph, matMul, rmsNorm, silu, sum } from '@lmflow/sdk/graph';

const graph = new Graph();
const weight = graph.input('weight', 'float32', [8, 8]);
const scale = graph.input('scale', 'float32', [8]);
let hidden = graph.input('hidden', 'float32', [4, 8]);
for (let layer = 0; layer < 2; layer++) {
  const before = hidden;
  hidden = graph.region(
    `layers.${layer}`,
    () => add(before, silu(matMul(rmsNorm(before, scale, 1e-5), weight))),
    { recompute: true },
  );
}
const [gradient] = grad(sum(hidden), [weight]);
graph.output('gradient', gradient!);
