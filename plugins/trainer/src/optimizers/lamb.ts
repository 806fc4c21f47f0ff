// LAMB (You et al. 2020, algorithm 2): AdamW's direction scaled for each tensor to the norm of the
// tensor itself.
import {
  add,
  div,
  equal,
  logicalOr,
  minimum,
  mul,
  sqrt,
  sub,
  sum,
  where,
  type Value,
} from '@lmflow/sdk/graph';
import type { Optimizer } from '../optimizer.ts';
import { adamScalars, moments } from './adam.ts';

const norm = (x: Value): Value => sqrt(sum(mul(x, x)));

/**
 * Bias-corrected moments, the decay inside of what is scaled, the identity as the paper's phi; a
 * ratio of 1 where a norm is zero. Arguments as timm's Lamb has them: without `always_adapt` what
 * has no decay is not scaled (timm's default; the paper scales all), `trust_clip` never lets the
 * ratio pass 1.
 */
export const lamb: Optimizer = {
  name: 'lamb',
  arguments: { always_adapt: true, trust_clip: false },
  state: ({ shape }) => ({ exp_avg: shape, exp_avg_sq: shape }),
  scalars: (facts) => {
    const {
      step,
      learningRate,
      weightDecay,
      options: { adamBeta1 },
    } = facts;
    const { rate: _rate, keep: _keep, ...scalars } = adamScalars(facts);
    return { ...scalars, learningRate, weightDecay, correction: 1 / (1 - adamBeta1 ** step) };
  },
  update: (values) => {
    const {
      parameter,
      gradient,
      arguments: given,
      scalars: { root, epsilon, correction, learningRate, weightDecay },
    } = values;
    const { mean, square } = moments(gradient, values);
    const direction = add(
      div(mul(mean, correction!), add(mul(sqrt(square), root!), epsilon!)),
      mul(parameter, weightDecay!),
    );
    const [own, wanted] = [norm(parameter), norm(direction)];
    const zero = logicalOr(equal(own, 0), equal(wanted, 0));
    const quotient = div(own, add(wanted, where(equal(wanted, 0), 1, 0)));
    const ratio = where(
      given['always_adapt'] === true ? zero : logicalOr(zero, equal(weightDecay!, 0)),
      1,
      given['trust_clip'] === true ? minimum(quotient, 1) : quotient,
    );
    return {
      parameter: sub(parameter, mul(direction, mul(ratio, learningRate!))),
      state: { exp_avg: mean, exp_avg_sq: square },
    };
  },
};
