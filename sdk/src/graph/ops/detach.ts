// detach(x): x, through which no gradient flows. What is compared with the present (the old policy of a
// ratio, a clipped weight) is a number to the loss, not a function of the parameters.
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import type { Attributes } from '../types.ts';
import { add } from './binary.ts';

/** The op of `detach`: its operand, without a gradient. */
export const detachOp = defineOp<Attributes>({
  name: 'detach',
  decompose: ([x]) => [add(x!, 0)],
  gradient: () => [undefined],
});

/** x as it is now: no gradient flows to it. */
export function detach(x: Value): Value {
  return applyOne(detachOp, [x], {});
}
