// The forward pass of a decoder over its building functions. It computes no logits: a loss needs
// them only for labelled tokens, in chunks.
import type { HeadOutput, Trace } from './model.ts';

/**
 * embed, every block, head. Rows of the result are tokens: [batchSize x length, hiddenSize];
 * `inputIds` is the trace's batch tensor.
 */
export function forward(trace: Trace): HeadOutput {
  const { build, architecture } = trace.model;
  let hidden = build.embed(trace, trace.input('inputIds'));
  for (let layer = 0; layer < architecture.numLayers; layer++) {
    hidden = build.block(trace, hidden, layer);
  }
  return build.head(trace, hidden);
}
