// Gradient checkpointing (Chen et al. 2016): each block becomes a region that the backward pass computes a second time.
import type { Model } from '@lmflow/sdk';

/** Wraps the model's block; what the block is made of stays as it is. */
export function recomputeBlocks(model: Model): void {
  const { block } = model.build;
  model.build.block = (trace, hidden, layer) => trace.graph.region(`recomputed.${layer}`, () => block(trace, hidden, layer), { recompute: trace.mode === 'training' });
}
