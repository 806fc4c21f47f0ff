// Gradient descent as torch.optim.SGD.
import { defineOptimizer } from '@lmflow/sdk';
import { chain } from '../chain.ts';
import { DECAY } from '../ranges.ts';
import { addDecayedWeights } from '../transformations/decay.ts';
import { trace } from '../transformations/momentum.ts';
import { applyUpdate, scaleByLearningRate } from '../transformations/step.ts';

/** Plain, with momentum, or with Nesterov's; the decay is added to the gradient. */
export const sgd = defineOptimizer({
  name: 'sgd',
  reads: [],
  arguments: { momentum: 0, dampening: 0, nesterov: false },
  ranges: { momentum: DECAY, dampening: { min: 0, max: 1 } },
  conflict: ({ momentum, dampening, nesterov }) =>
    nesterov && (momentum === 0 || dampening !== 0)
      ? `nesterov needs a momentum above 0 and no dampening, and momentum is ${momentum}, dampening ${dampening}`
      : undefined,
  make: ({ arguments: settings }) =>
    chain(
      addDecayedWeights(),
      ...(settings.momentum === 0 ? [] : [trace(settings)]),
      scaleByLearningRate(),
      applyUpdate(),
    ),
});
