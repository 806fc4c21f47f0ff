// NAdam (Dozat 2016) as torch.optim.NAdam.
import { add, div, mul, sqrt, sub } from '@lmflow/sdk/graph';
import { NOT_NEGATIVE, numberOf, type Optimizer } from '../optimizer.ts';
import { adamScalars, moments } from './adam.ts';

/**
 * Adam with Nesterov momentum whose strength grows over the first steps. The decay is added to the
 * gradient, or decoupled.
 */
export const nadam: Optimizer = {
  name: 'nadam',
  arguments: { momentum_decay: 4e-3, decoupled_weight_decay: false },
  ranges: { momentum_decay: NOT_NEGATIVE },
  numbers: { mu_product: 1 },
  state: ({ shape }) => ({ exp_avg: shape, exp_avg_sq: shape }),
  scalars: (facts) => {
    const {
      step,
      learningRate,
      weightDecay,
      options: { adamBeta1 },
      arguments: given,
      numbers,
    } = facts;
    const decoupled = given['decoupled_weight_decay'] === true;
    const momentumAt = (at: number): number =>
      adamBeta1 * (1 - 0.5 * 0.96 ** (at * numberOf(given, 'momentum_decay')));
    const [now, next] = [momentumAt(step), momentumAt(step + 1)];
    const product = (numbers['mu_product'] = Math.fround(numbers['mu_product']! * now));
    const { rate: _rate, keep, ...scalars } = adamScalars(facts);
    return {
      ...scalars,
      keep: decoupled ? keep! : 1,
      weightDecay: decoupled ? 0 : weightDecay,
      ofGradient: (learningRate * (1 - now)) / (1 - product),
      ofMean: (learningRate * next) / (1 - product * next),
    };
  },
  update: (values) => {
    const {
      parameter,
      gradient,
      scalars: { root, epsilon, keep, weightDecay, ofGradient, ofMean },
    } = values;
    const decayed = add(gradient, mul(parameter, weightDecay!));
    const { mean, square } = moments(decayed, values);
    const change = div(
      add(mul(decayed, ofGradient!), mul(mean, ofMean!)),
      add(mul(sqrt(square), root!), epsilon!),
    );
    return {
      parameter: sub(mul(parameter, keep!), change),
      state: { exp_avg: mean, exp_avg_sq: square },
    };
  },
};
