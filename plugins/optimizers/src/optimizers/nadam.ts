// NAdam (Dozat 2016) as torch.optim.NAdam.
import { defineOptimizer, type OptimizerSettings } from '@lmflow/sdk';
import { add, div, mul } from '@lmflow/sdk/graph';
import { chain, type Transformation } from '../chain.ts';
import { NOT_NEGATIVE } from '../ranges.ts';
import { addDecayedWeights, decayWeights } from '../transformations/decay.ts';
import {
  correctedRoot,
  correctedRootScalars,
  nextMoments,
  trackMoments,
} from '../transformations/moments.ts';
import { applyUpdate } from '../transformations/step.ts';

/**
 * Adam with Nesterov momentum whose strength grows over the first steps. The decay is added to the
 * gradient, or decoupled.
 */
export const nadam = defineOptimizer({
  name: 'nadam',
  arguments: { momentum_decay: 4e-3, decoupled_weight_decay: false },
  ranges: { momentum_decay: NOT_NEGATIVE },
  make: (settings) => {
    const step = scaleByNadam(settings, settings.arguments.momentum_decay);
    return settings.arguments.decoupled_weight_decay
      ? chain(step, decayWeights(), applyUpdate())
      : chain(addDecayedWeights(), step, applyUpdate());
  },
});

/** The whole step, with the learning rate in the factors of gradient and mean. */
function scaleByNadam(settings: OptimizerSettings, momentumDecay: number): Transformation {
  const { beta1 } = settings;
  const momentumAt = (step: number): number => beta1 * (1 - 0.5 * 0.96 ** (step * momentumDecay));
  const track = trackMoments(settings);
  return {
    ...track,
    numbers: {
      first: { mu_product: 1 },
      next: ({ step, numbers }) => ({
        mu_product: Math.fround(numbers['mu_product']! * momentumAt(step)),
      }),
    },
    scalars: (facts) => {
      const { step, learningRate, numbers } = facts;
      const product = numbers['mu_product']!;
      const [now, next] = [momentumAt(step), momentumAt(step + 1)];
      return {
        ...track.scalars?.(facts),
        ...correctedRootScalars(settings, step),
        ofGradient: (learningRate * (1 - now)) / (1 - product),
        ofMean: (learningRate * next) / (1 - product * next),
      };
    },
    update: (values) => {
      const { update: gradient, scalars } = values;
      const state = nextMoments(gradient, values);
      return {
        update: div(
          add(mul(gradient, scalars['ofGradient']!), mul(state.exp_avg, scalars['ofMean']!)),
          correctedRoot(state.exp_avg_sq, scalars),
        ),
        state,
      };
    },
  };
}
