// Next-token prediction: the objective of continuous pretraining and instruction tuning.
import type { Objective } from '@lmflow/sdk';
import { forward, nextTokens } from '@lmflow/sdk/model';
import { less, linearCrossEntropy, where } from '@lmflow/sdk/graph';
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
