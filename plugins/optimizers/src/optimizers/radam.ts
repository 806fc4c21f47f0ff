// RAdam (Liu et al. 2020) as torch.optim.RAdam.
import { defineOptimizer, type OptimizerSettings } from '@lmflow/sdk';
import { add, div, mul, sqrt } from '@lmflow/sdk/graph';
import { chain, type Transformation } from '../chain.ts';
import { addDecayedWeights, decayWeights } from '../transformations/decay.ts';
import { trackMoments } from '../transformations/moments.ts';
import { applyUpdate } from '../transformations/step.ts';

/**
 * Adam whose adaptive rate starts when its variance is known well enough; momentum alone before.
 * The decay is added to the gradient, or decoupled.
 */
export const radam = defineOptimizer({
  name: 'radam',
  arguments: { decoupled_weight_decay: false },
  make: (settings) => {
    const step = [trackMoments(settings), rectify(settings)];
    return settings.arguments.decoupled_weight_decay
      ? chain(...step, decayWeights(), applyUpdate())
      : chain(addDecayedWeights(), ...step, applyUpdate());
  },
});

/** change = mean rate (momentum + rectified / (root square + epsilon)): one of the two is zero. */
function rectify({ beta1, beta2, epsilon }: OptimizerSettings): Transformation {
  return {
    scalars: ({ step, learningRate }) => {
      const correction = 1 - beta2 ** step;
      const most = 2 / (1 - beta2) - 1;
      const length = most - (2 * step * beta2 ** step) / correction;
      const adaptive = length > 5;
      const rectified = adaptive
        ? Math.sqrt(((length - 4) * (length - 2) * most) / ((most - 4) * (most - 2) * length)) *
          Math.sqrt(correction)
        : 0;
      return {
        rate: learningRate / (1 - beta1 ** step),
        epsilon,
        rectified,
        momentum: adaptive ? 0 : 1,
      };
    },
    update: ({ update, state, scalars: { rate, epsilon: least, rectified, momentum } }) => {
      // Where a gradient was always zero and epsilon is 0 too, the quotient is not used: its mean is
      // zero and the tiny number keeps it finite.
      const root = add(add(sqrt(state['exp_avg_sq']!), least!), 1e-30);
      return { update: mul(mul(update, rate!), add(div(rectified!, root), momentum!)) };
    },
  };
}
