// AdamW with both moments held in 8 bits (Dettmers et al. 2022), as bitsandbytes' blockwise kernel
// computes it: the decay comes after the change.
import { mul, sub } from '@lmflow/sdk/graph';
import { NOT_NEGATIVE, numberOf, type Optimizer } from '../optimizer.ts';
import { adamChange, adamw, moments } from './adam.ts';

/**
 * The state takes 2 bytes a number instead of 8. Tensors under `min_8bit_size` numbers keep float32
 * moments.
 */
export const adamw8bit: Optimizer = {
  name: 'adamw_8bit',
  arguments: { min_8bit_size: 4096 },
  ranges: { min_8bit_size: NOT_NEGATIVE },
  state: adamw.state,
  eightBit: ({ data }, given): Record<string, 'signed' | 'unsigned'> =>
    data.length < numberOf(given, 'min_8bit_size')
      ? {}
      : { exp_avg: 'signed', exp_avg_sq: 'unsigned' },
  scalars: adamw.scalars,
  update: (values) => {
    const { mean, square } = moments(values.gradient, values);
    return {
      parameter: mul(
        sub(values.parameter, adamChange(mean, square, values.scalars)),
        values.scalars['keep']!,
      ),
      state: { exp_avg: mean, exp_avg_sq: square },
    };
  },
};
