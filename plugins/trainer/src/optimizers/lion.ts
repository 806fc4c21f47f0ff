// Lion (Chen et al. 2023) as its authors' code (google/automl, lion_pytorch.py) computes it.
import { add, mul, sign, sub } from '@lmflow/sdk/graph';
import type { Optimizer } from '../optimizer.ts';

/**
 * The sign of an interpolated momentum, decoupled decay. Takes adamBeta1 and adamBeta2, as
 * transformers' lion_32bit does (the paper's second is 0.99).
 */
export const lion: Optimizer = {
  name: 'lion',
  reads: ['adamBeta1', 'adamBeta2'],
  state: ({ shape }) => ({ exp_avg: shape }),
  scalars: ({ learningRate, weightDecay, options: { adamBeta1, adamBeta2 } }) => ({
    learningRate,
    keep: 1 - learningRate * weightDecay,
    beta1: adamBeta1,
    rest1: 1 - adamBeta1,
    beta2: adamBeta2,
    rest2: 1 - adamBeta2,
  }),
  update: ({
    parameter,
    gradient,
    state,
    scalars: { learningRate, keep, beta1, rest1, beta2, rest2 },
  }) => {
    const mean = state['exp_avg']!;
    const direction = sign(add(mul(mean, beta1!), mul(gradient, rest1!)));
    return {
      parameter: sub(mul(parameter, keep!), mul(direction, learningRate!)),
      state: { exp_avg: add(mul(mean, beta2!), mul(gradient, rest2!)) },
    };
  },
};
