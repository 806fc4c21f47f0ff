// Adan (Xie et al. 2022) as its authors' code (sail-sg/Adan, _single_tensor_adan) computes it,
// without its own clipping: maxGradNorm does that.
import { add, div, mul, sqrt, sub, type Value } from '@lmflow/sdk/graph';
import { DECAY, NOT_NEGATIVE, numberOf, type Optimizer } from '../optimizer.ts';

/**
 * Nesterov momentum from differences of gradients. Decay by division (proximal), or with `no_prox`
 * as in AdamW.
 */
export const adan: Optimizer = {
  name: 'adan',
  reads: [],
  arguments: { beta1: 0.98, beta2: 0.92, beta3: 0.99, eps: 1e-8, no_prox: false },
  ranges: { beta1: DECAY, beta2: DECAY, beta3: DECAY, eps: NOT_NEGATIVE },
  state: ({ shape }) => ({
    exp_avg: shape,
    exp_avg_diff: shape,
    exp_avg_sq: shape,
    pre_grad: shape,
  }),
  scalars: ({ step, learningRate, weightDecay, arguments: given }) => {
    const [beta1, beta2, beta3] = ['beta1', 'beta2', 'beta3'].map((name) =>
      numberOf(given, name),
    ) as [number, number, number];
    return {
      beta1,
      beta2,
      beta3,
      rest1: 1 - beta1,
      rest2: 1 - beta2,
      rest3: 1 - beta3,
      seen: step === 1 ? 0 : 1, // the first difference is zero
      rate: learningRate / (1 - beta1 ** step),
      rateOfDifference: (learningRate * beta2) / (1 - beta2 ** step),
      root: 1 / Math.sqrt(1 - beta3 ** step),
      epsilon: numberOf(given, 'eps'),
      keep:
        given['no_prox'] === true
          ? 1 - learningRate * weightDecay
          : 1 / (1 + learningRate * weightDecay),
    };
  },
  update: ({ parameter, gradient, state, scalars, arguments: given }) => {
    const s = (name: string): Value => scalars[name]!;
    const difference = mul(sub(gradient, state['pre_grad']!), s('seen'));
    const mean = add(mul(state['exp_avg']!, s('beta1')), mul(gradient, s('rest1')));
    const meanDifference = add(
      mul(state['exp_avg_diff']!, s('beta2')),
      mul(difference, s('rest2')),
    );
    const ahead = add(gradient, mul(difference, s('beta2')));
    const square = add(mul(state['exp_avg_sq']!, s('beta3')), mul(mul(ahead, ahead), s('rest3')));
    const change = div(
      add(mul(mean, s('rate')), mul(meanDifference, s('rateOfDifference'))),
      add(mul(sqrt(square), s('root')), s('epsilon')),
    );
    return {
      parameter:
        given['no_prox'] === true
          ? sub(mul(parameter, s('keep')), change)
          : mul(sub(parameter, change), s('keep')),
      state: {
        exp_avg: mean,
        exp_avg_diff: meanDifference,
        exp_avg_sq: square,
        pre_grad: gradient,
      },
    };
  },
};
