// Lion (Chen et al. 2023) as its authors' code (google/automl, lion_pytorch.py) computes it.
import { defineOptimizer, type OptimizerSettings } from '@lmflow/sdk';
import { add, mul, sign } from '@lmflow/sdk/graph';
import { chain, type Transformation } from '../chain.ts';
import { decayWeights } from '../transformations/decay.ts';
import { applyUpdate, scaleByLearningRate } from '../transformations/step.ts';

/**
 * The sign of an interpolated momentum, decoupled decay. Takes adamBeta1 and adamBeta2, as
 * transformers' lion_32bit does (the paper's second is 0.99).
 */
export const lion = defineOptimizer({
  name: 'lion',
  names: ['lion', 'lion_32bit', 'paged_lion_32bit'],
  reads: ['adamBeta1', 'adamBeta2'],
  make: (settings) =>
    chain(signOfMomentum(settings), decayWeights(), scaleByLearningRate(), applyUpdate()),
});

function signOfMomentum({ beta1, beta2 }: OptimizerSettings): Transformation {
  return {
    init: ({ shape }) => ({ exp_avg: { shape } }),
    scalars: () => ({ beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2 }),
    update: ({ update, state, scalars }) => {
      const mean = state['exp_avg']!;
      return {
        update: sign(add(mul(mean, scalars['beta1']!), mul(update, scalars['rest1']!))),
        state: { exp_avg: add(mul(mean, scalars['beta2']!), mul(update, scalars['rest2']!)) },
      };
    },
  };
}
