// AdamW and Adam as torch.optim computes them.
import { defineOptimizer } from '@lmflow/sdk';
import { chain } from '../chain.ts';
import { addDecayedWeights, decayWeights } from '../transformations/decay.ts';
import { scaleByMoments, trackMoments, trackMomentsOfSum } from '../transformations/moments.ts';
import { applyUpdate } from '../transformations/step.ts';

/** AdamW (Loshchilov and Hutter 2019): decoupled decay. Its time is its passes over the numbers. */
export const adamw = defineOptimizer({
  name: 'adamw',
  names: ['adamw_torch', 'adamw_torch_fused', 'adamw_hf', 'paged_adamw_32bit'],
  make: (settings) =>
    chain(trackMomentsOfSum(settings), decayWeights(), scaleByMoments(settings), applyUpdate()),
});

/** Adam (Kingma and Ba 2015) as torch.optim.Adam: the decay is added to the gradient. */
export const adam = defineOptimizer({
  name: 'adam',
  make: (settings) =>
    chain(addDecayedWeights(), trackMoments(settings), scaleByMoments(settings), applyUpdate()),
});
