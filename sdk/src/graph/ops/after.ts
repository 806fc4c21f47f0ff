// after(x, others): x itself, but not before the others have been computed. Says in which order an
// engine works, where that decides what is in memory at once. Computes nothing.
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import type { Attributes } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';

/** The op of `after`: its first operand, which an engine computes once the others are there. */
export const afterOp = defineOp<Attributes>({
  name: 'after',
  infer: (inputs) => {
    const [x] = inputs;
    if (!x || inputs.length < 2) {
      throw opTypesDoNotFit('after', inputs, 'takes an operand and at least one value to wait for');
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  evaluate: ([x]) => [x!],
  gradient: (_node, [gradient]) => [gradient],
});

/**
 * x, once `others` (at least one) are there; they are computed even if nothing else needs them. No
 * gradient flows to them.
 */
export function after(x: Value, others: readonly Value[]): Value {
  return applyOne(afterOp, [x, ...others], {});
}
