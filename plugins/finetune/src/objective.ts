// Next-token prediction: the objective of continuous pretraining and instruction tuning.
import type { Objective } from '@lmflow/sdk';
import { type Trace, forward } from '@lmflow/sdk/model';
import {
  concat,
  equal,
  less,
  linearCrossEntropy,
  reshape,
  slice,
  where,
  type Value,
} from '@lmflow/sdk/graph';
import { sampledTokens } from './sampling.ts';

/** Sum of the cross-entropy of every labelled token given the ones before it, and their number. */
export const languageModeling: Objective = {
  name: 'language-modeling',
  build: (trace) => {
    const { hidden, weight } = forward(trace);
    return { loss: linearCrossEntropy(hidden, weight, nextTokens(trace)) };
  },
  weight: (batch) => batch.trainedTokens,
  buildSampled: (trace, uniform) => {
    const { hidden, weight } = forward(trace);
    const targets = nextTokens(trace);
    const drawn = sampledTokens(hidden, weight, uniform(targets.shape));
    return {
      loss: linearCrossEntropy(
        hidden,
        weight,
        where(less(targets, trace.graph.constant(Int32Array.of(0), [], 'int32')), targets, drawn),
      ),
    };
  },
  perToken: true,
  figures: ({ loss }) => ({ perplexity: Math.exp(loss!) }),
};

/**
 * Labels moved one place to the left, what each token predicts, of all rows [batch x length]. Never
 * across two packed samples.
 */
function nextTokens(trace: Trace): Value {
  const { graph, batchSize, length, segments } = trace;
  const labels = trace.input('labels');
  const ignored = graph.constant(new Int32Array(batchSize).fill(-100), [batchSize, 1], 'int32');
  if (length === 1) return reshape(ignored, [batchSize]);
  const following = (x: Value): Value => slice(x, [0, 1], [batchSize, length]);
  const own = (x: Value): Value => slice(x, [0, 0], [batchSize, length - 1]);
  const next = segments
    ? where(
        equal(own(segments), following(segments)),
        following(labels),
        graph.constant(Int32Array.of(-100), [1, 1], 'int32'),
      )
    : following(labels);
  return reshape(concat([next, ignored], 1), [batchSize * length]);
}
