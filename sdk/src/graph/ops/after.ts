// after(x, others): x, but not before the others are computed. It fixes the order of an engine where
// the order decides what is in memory at once. Computes nothing.
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import type { Attributes } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';

/** The op of `after`: its first operand, which an engine computes after the others. */
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
 * x, computed after `others` (at least one), which are computed even if nothing else needs them. No
 * gradient flows to them.
 */
export function after(x: Value, others: readonly Value[]): Value {
  return applyOne(afterOp, [x, ...others], {});
}
