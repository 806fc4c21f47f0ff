import {
  allFloat,
  applyOne,
  defineOp,
  mul,
  opTypesDoNotFit,
  sub,
  tanh,
  type Value,
} from '@lmflow/sdk/graph';

type SoftCap = { readonly cap: number };

export const softCapOp = defineOp<SoftCap>({
  name: '@me/plugin-softcap/softCap',
  infer: (inputs) => {
    const [x] = inputs;
    if (!x || inputs.length !== 1 || !allFloat(inputs)) {
      throw opTypesDoNotFit('softCap', inputs, 'takes one float operand');
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  decompose: ([x], { cap }) => [mul(tanh(mul(x!, 1 / cap)), cap)],
  // d cap tanh(x / cap) = 1 - tanh^2(x / cap), from the result, so that x need not be kept.
  gradient: (node, [gradient]) => {
    const inner = mul(node.outputs[0]!, 1 / node.attributes.cap);
    return [mul(gradient!, sub(1, mul(inner, inner)))];
  },
});

/** cap tanh(x / cap): x, held between -cap and cap. */
export function softCap(x: Value, cap: number): Value {
  return applyOne(softCapOp, [x], { cap });
}
