// AdamW with both moments held in 8 bits (Dettmers et al. 2022), as bitsandbytes' blockwise kernel
// computes it: the decay comes after the change.
import { defineOptimizer } from '@lmflow/sdk';
import { sizeOf } from '@lmflow/sdk/graph';
import { NOT_NEGATIVE } from '../ranges.ts';
import { chain } from '../chain.ts';
import { decayWeights } from '../transformations/decay.ts';
import { scaleByMoments, trackMoments } from '../transformations/moments.ts';
import { applyUpdate } from '../transformations/step.ts';

/**
 * The state takes 2 bytes a number instead of 8. Tensors under `min_8bit_size` numbers keep float32
 * moments.
 */
export const adamw8bit = defineOptimizer({
  name: 'adamw_8bit',
  names: ['adamw_8bit', 'adamw_bnb_8bit', 'adamw_torch_8bit', 'paged_adamw_8bit'],
  arguments: { min_8bit_size: 4096 },
  ranges: { min_8bit_size: NOT_NEGATIVE },
  eightBit: ({ shape }, { min_8bit_size }): Record<string, 'signed' | 'unsigned'> =>
    sizeOf(shape) < min_8bit_size ? {} : { exp_avg: 'signed', exp_avg_sq: 'unsigned' },
  make: (settings) =>
    chain(trackMoments(settings), scaleByMoments(settings), applyUpdate(), decayWeights()),
});
