// Sophia-G (Liu et al. 2023): momentum divided by an estimate of the Hessian's diagonal, each
// number of the result held within -1 and 1. Computed as the authors' code does (Liuhong99/Sophia,
// SophiaG); the estimate is made when the paper's algorithm 3 makes it.
import { defineOptimizer, type Curvature } from '@lmflow/sdk';
import { abs, add, div, minimum, mul, sign } from '@lmflow/sdk/graph';
import { chain, type Transformation } from '../chain.ts';
import { DECAY, NOT_NEGATIVE } from '../ranges.ts';
import { decayWeights } from '../transformations/decay.ts';
import { ema } from '../transformations/momentum.ts';
import { applyUpdate, scaleByLearningRate } from '../transformations/step.ts';

/**
 * The least denominator, as in the authors' code: where the estimate is zero the step is the sign.
 */
const EPSILON = 1e-15;

/** `k`: steps between two estimates. `rho` scales the estimate. */
export const sophia = defineOptimizer({
  name: 'sophia',
  reads: [],
  arguments: { beta1: 0.965, beta2: 0.99, rho: 0.04, k: 10 },
  ranges: { beta1: DECAY, beta2: DECAY, rho: NOT_NEGATIVE, k: { min: 1, whole: true } },
  make: ({ arguments: { beta1, beta2, rho, k } }) => ({
    ...chain(
      ema('exp_avg', beta1),
      divideByCurvature(rho),
      decayWeights(),
      scaleByLearningRate(),
      applyUpdate(),
    ),
    curvature: gaussNewtonBartlett(beta2, k),
  }),
});

function divideByCurvature(rho: number): Transformation {
  return {
    init: ({ shape }) => ({ hessian: { shape } }),
    scalars: () => ({ rho }),
    update: ({ update: mean, state, scalars }) => {
      const denominator = add(mul(state['hessian']!, scalars['rho']!), EPSILON);
      return { update: mul(sign(mean), minimum(div(abs(mean), denominator), 1)) };
    },
  };
}

/**
 * The estimate is B g^2, with g the gradient of the mean loss over B labels drawn from the model. B
 * is in the estimate as in the paper, so that it may change; the authors' code multiplies by it in
 * every step.
 */
function gaussNewtonBartlett(decay: number, every: number): Curvature {
  return {
    every,
    state: ['hessian'],
    scalars: ({ weight }) => ({ beta2: decay, rest2: (1 - decay) * weight }),
    update: ({ gradient, state, scalars: { beta2, rest2 } }) => ({
      hessian: add(mul(state['hessian']!, beta2!), mul(mul(gradient, gradient), rest2!)),
    }),
  };
}
