// RAdam (Liu et al. 2020) as torch.optim.RAdam.
import { add, div, mul, sqrt, sub } from '@lmflow/sdk/graph';
import type { Optimizer } from '../optimizer.ts';
import { adamScalars, moments } from './adam.ts';

/**
 * Adam whose adaptive rate starts when its variance is known well enough; momentum alone before.
 * The decay is added to the gradient, or decoupled.
 */
export const radam: Optimizer = {
  name: 'radam',
  arguments: { decoupled_weight_decay: false },
  state: ({ shape }) => ({ exp_avg: shape, exp_avg_sq: shape }),
  scalars: (facts) => {
    const {
      step,
      weightDecay,
      options: { adamBeta2 },
      arguments: given,
    } = facts;
    const decoupled = given['decoupled_weight_decay'] === true;
    const { root: _root, keep, ...scalars } = adamScalars(facts);
    const correction = 1 - adamBeta2 ** step;
    const most = 2 / (1 - adamBeta2) - 1;
    const length = most - (2 * step * adamBeta2 ** step) / correction;
    const adaptive = length > 5;
    const rectified = adaptive
      ? Math.sqrt(((length - 4) * (length - 2) * most) / ((most - 4) * (most - 2) * length)) *
        Math.sqrt(correction)
      : 0;
    // change = mean rate (momentum + rectified / (root square + epsilon)): one of the two is zero.
    return {
      ...scalars,
      keep: decoupled ? keep! : 1,
      weightDecay: decoupled ? 0 : weightDecay,
      rectified,
      momentum: adaptive ? 0 : 1,
    };
  },
  update: (values) => {
    const {
      parameter,
      gradient,
      scalars: { rate, epsilon, keep, weightDecay, rectified, momentum },
    } = values;
    const { mean, square } = moments(add(gradient, mul(parameter, weightDecay!)), values);
    // Where a gradient was always zero and epsilon is 0 too, the quotient is not used: its mean is
    // zero and the tiny number keeps it finite.
    const factor = add(div(rectified!, add(add(sqrt(square), epsilon!), 1e-30)), momentum!);
    return {
      parameter: sub(mul(parameter, keep!), mul(mul(mean, rate!), factor)),
      state: { exp_avg: mean, exp_avg_sq: square },
    };
  },
};
