// Weight decay: in the gradient (L2), or apart from it (decoupled).
import { add, mul } from '@lmflow/sdk/graph';
import type { Transformation } from '../chain.ts';

/** Adds the parameter times weightDecay to the update. */
export function addDecayedWeights(): Transformation {
  return {
    scalars: ({ weightDecay }) => ({ weightDecay }),
    update: ({ update, parameter, scalars }) => ({
      update: add(update, mul(parameter, scalars['weightDecay']!)),
    }),
  };
}

/** Shrinks the parameter itself, by 1 - learningRate weightDecay or what `keep` says. */
export function decayWeights(keep = (change: number): number => 1 - change): Transformation {
  return {
    scalars: ({ learningRate, weightDecay }) => ({ keep: keep(learningRate * weightDecay) }),
    update: ({ parameter, decays, scalars }) =>
      decays ? { parameter: mul(parameter, scalars['keep']!) } : {},
  };
}
