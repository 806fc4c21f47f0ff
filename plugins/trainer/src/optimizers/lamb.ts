// LAMB (You et al. 2020, algorithm 2): AdamW's direction scaled for each tensor to the norm of the tensor itself.
import { add, div, equal, logicalOr, mul, sqrt, sub, sum, where, type Value } from '@lmflow/sdk/graph';
import type { Optimizer } from '../optimizer.ts';
import { adamScalars, moments } from './adam.ts';

const norm = (x: Value): Value => sqrt(sum(mul(x, x)));

/** Bias-corrected moments, the decay inside of what is scaled, the identity as the paper's phi; a ratio of 1 where a norm is zero. */
export const lamb: Optimizer = {
  name: 'lamb',
  state: ({ shape }) => ({ exp_avg: shape, exp_avg_sq: shape }),
  scalars: (facts) => {
    const { step, learningRate, weightDecay, options: { adamBeta1 } } = facts;
    const { rate: _rate, keep: _keep, ...scalars } = adamScalars(facts);
    return { ...scalars, learningRate, weightDecay, correction: 1 / (1 - adamBeta1 ** step) };
  },
  update: (values) => {
    const { parameter, gradient, scalars: { root, epsilon, correction, learningRate, weightDecay } } = values;
    const { mean, square } = moments(gradient, values);
    const direction = add(div(mul(mean, correction!), add(mul(sqrt(square), root!), epsilon!)), mul(parameter, weightDecay!));
    const [own, wanted] = [norm(parameter), norm(direction)];
    const ratio = where(logicalOr(equal(own, 0), equal(wanted, 0)), 1, div(own, add(wanted, where(equal(wanted, 0), 1, 0))));
    return { parameter: sub(parameter, mul(direction, mul(ratio, learningRate!))), state: { exp_avg: mean, exp_avg_sq: square } };
  },
};
