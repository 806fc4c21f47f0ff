// Adan (Xie et al. 2022) as its authors' code (sail-sg/Adan, _single_tensor_adan) computes it,
// without its own clipping: maxGradNorm does that.
import { defineOptimizer } from '@lmflow/sdk';
import { add, div, mul, sub, type Value } from '@lmflow/sdk/graph';
import { chain, type Transformation } from '../chain.ts';
import { DECAY, NOT_NEGATIVE } from '../ranges.ts';
import { decayWeights } from '../transformations/decay.ts';
import { correctedRoot, correctedRootScalars } from '../transformations/moments.ts';
import { applyUpdate } from '../transformations/step.ts';

/**
 * Nesterov momentum from differences of gradients. Decay by division (proximal), or with `no_prox`
 * as in AdamW.
 */
export const adan = defineOptimizer({
  name: 'adan',
  reads: [],
  arguments: { beta1: 0.98, beta2: 0.92, beta3: 0.99, eps: 1e-8, no_prox: false },
  ranges: { beta1: DECAY, beta2: DECAY, beta3: DECAY, eps: NOT_NEGATIVE },
  make: ({ arguments: settings }) =>
    settings.no_prox
      ? chain(scaleByAdan(settings), decayWeights(), applyUpdate())
      : chain(
          scaleByAdan(settings),
          applyUpdate(),
          decayWeights((change) => 1 / (1 + change)),
        ),
});

interface AdanSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly beta3: number;
  readonly eps: number;
}

/** The whole step, with the learning rate in the factors of the two means. */
function scaleByAdan({ beta1, beta2, beta3, eps: epsilon }: AdanSettings): Transformation {
  return {
    init: ({ shape }) => ({
      exp_avg: { shape },
      exp_avg_diff: { shape },
      exp_avg_sq: { shape },
      pre_grad: { shape },
    }),
    scalars: ({ step, learningRate }) => ({
      beta1,
      beta2,
      beta3,
      rest1: 1 - beta1,
      rest2: 1 - beta2,
      rest3: 1 - beta3,
      seen: step === 1 ? 0 : 1, // the first difference is zero
      rate: learningRate / (1 - beta1 ** step),
      rateOfDifference: (learningRate * beta2) / (1 - beta2 ** step),
      ...correctedRootScalars({ beta2: beta3, epsilon }, step),
    }),
    update: ({ update: gradient, state, scalars }) => {
      const s = (name: string): Value => scalars[name]!;
      const difference = mul(sub(gradient, state['pre_grad']!), s('seen'));
      const mean = add(mul(state['exp_avg']!, s('beta1')), mul(gradient, s('rest1')));
      const meanDifference = add(
        mul(state['exp_avg_diff']!, s('beta2')),
        mul(difference, s('rest2')),
      );
      const ahead = add(gradient, mul(difference, s('beta2')));
      const square = add(mul(state['exp_avg_sq']!, s('beta3')), mul(mul(ahead, ahead), s('rest3')));
      return {
        update: div(
          add(mul(mean, s('rate')), mul(meanDifference, s('rateOfDifference'))),
          correctedRoot(square, scalars),
        ),
        state: {
          exp_avg: mean,
          exp_avg_diff: meanDifference,
          exp_avg_sq: square,
          pre_grad: gradient,
        },
      };
    },
  };
}
