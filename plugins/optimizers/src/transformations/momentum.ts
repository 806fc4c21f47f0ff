// Momentum in its two forms: a running mean, and torch's running sum.
import { add, mul } from '@lmflow/sdk/graph';
import type { Transformation } from '../chain.ts';

/**
 * The running mean of the updates, kept in the state `name`. With `nesterov` the mean is looked at
 * one step ahead.
 */
export function ema(
  name: string,
  decay: number,
  { nesterov = false }: { readonly nesterov?: boolean } = {},
): Transformation {
  return {
    init: ({ shape }) => ({ [name]: { shape } }),
    scalars: () => ({ decay, rest: 1 - decay }),
    update: ({ update, state, scalars: { decay: kept, rest } }) => {
      const mean = add(mul(state[name]!, kept!), mul(update, rest!));
      return {
        update: nesterov ? add(mul(update, rest!), mul(mean, kept!)) : mean,
        state: { [name]: mean },
      };
    },
  };
}

/**
 * The running sum of the updates, as torch.optim.SGD keeps it: the first one enters undampened.
 */
export function trace({
  momentum,
  dampening,
  nesterov,
}: {
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
}): Transformation {
  return {
    init: ({ shape }) => ({ momentum_buffer: { shape } }),
    scalars: ({ step }) => ({ momentum, fresh: step === 1 ? 1 : 1 - dampening }),
    update: ({ update, state, scalars: { momentum: kept, fresh } }) => {
      const sum = add(mul(state['momentum_buffer']!, kept!), mul(update, fresh!));
      return {
        update: nesterov ? add(update, mul(sum, kept!)) : sum,
        state: { momentum_buffer: sum },
      };
    },
  };
}
