// sign(x): -1, 0 or 1. Its gradient is zero everywhere.
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import { isFloat, type Attributes } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';

/** The op of `sign`: -1, 0 or 1. Its gradient is zero everywhere. */
export const signOp = defineOp<Attributes>({
  name: 'sign',
  infer: (inputs) => {
    const [x] = inputs;
    if (inputs.length !== 1 || !x || !isFloat(x.dtype)) {
      throw opTypesDoNotFit('sign', inputs, 'takes one float operand');
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  evaluate: ([x]) => [{ shape: x!.shape, data: x!.data.map(Math.sign) }],
  gradient: () => [undefined],
});

/** -1, 0 or 1. */
export function sign(x: Value): Value {
  return applyOne(signOp, [x], {});
}
