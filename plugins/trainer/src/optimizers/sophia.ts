// Sophia-G (Liu et al. 2023): momentum divided by an estimate of the Hessian's diagonal, each
// number of the result held within -1 and 1. Computed as the authors' code does (Liuhong99/Sophia,
// SophiaG); the estimate is made when the paper's algorithm 3 makes it.
import { abs, add, div, minimum, mul, sign, sub } from '@lmflow/sdk/graph';
import { DECAY, NOT_NEGATIVE, numberOf, type Optimizer } from '../optimizer.ts';

/**
 * The least denominator, as in the authors' code: where the estimate is zero the step is the sign.
 */
const EPSILON = 1e-15;

/**
 * Gauss-Newton-Bartlett: the estimate is B g^2, with g the gradient of the mean loss over B labels
 * drawn from the model, decayed by beta2 every `k` steps.
 * `rho` scales it. B is in the estimate as in the paper, so that it may change; the authors' code
 * multiplies by it in every step.
 */
export const sophia: Optimizer = {
  name: 'sophia',
  reads: [],
  arguments: { beta1: 0.965, beta2: 0.99, rho: 0.04, k: 10 },
  ranges: { beta1: DECAY, beta2: DECAY, rho: NOT_NEGATIVE },
  state: ({ shape }) => ({ exp_avg: shape, hessian: shape }),
  scalars: ({ learningRate, weightDecay, arguments: given }) => ({
    learningRate,
    keep: 1 - learningRate * weightDecay,
    beta1: numberOf(given, 'beta1'),
    rest1: 1 - numberOf(given, 'beta1'),
    rho: numberOf(given, 'rho'),
  }),
  update: ({ parameter, gradient, state, scalars: { learningRate, keep, beta1, rest1, rho } }) => {
    const mean = add(mul(state['exp_avg']!, beta1!), mul(gradient, rest1!));
    const ratio = minimum(div(abs(mean), add(mul(state['hessian']!, rho!), EPSILON)), 1);
    return {
      parameter: sub(mul(parameter, keep!), mul(mul(sign(mean), ratio), learningRate!)),
      state: { exp_avg: mean },
    };
  },
  curvature: {
    every: 'k',
    state: ['hessian'],
    scalars: ({ weight, arguments: given }) => ({
      beta2: numberOf(given, 'beta2'),
      rest2: (1 - numberOf(given, 'beta2')) * weight,
    }),
    update: ({ gradient, state, scalars: { beta2, rest2 } }) => ({
      hessian: add(mul(state['hessian']!, beta2!), mul(mul(gradient, gradient), rest2!)),
    }),
  },
};
