// Activations made of simpler ops: gelu, relu, and swiglu, the gate of Llama's MLP.
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import { isFloat, sameShape, type Attributes } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { add, mul, sub } from './binary.ts';
import { maximum } from './extremes.ts';
import { erf, sigmoid, silu, tanh } from './unary.ts';

type GeluAttributes = { readonly approximation: 'erf' | 'tanh' };

/** The op of `gelu`, with its exact or its tanh form as attribute. */
export const geluOp = defineOp<GeluAttributes>({
  name: 'gelu',
  infer: (inputs) => {
    const [x] = inputs;
    if (inputs.length !== 1 || !x || !isFloat(x.dtype)) {
      throw opTypesDoNotFit('gelu', inputs, 'takes one float operand');
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  decompose: ([x], { approximation }) => {
    const inner =
      approximation === 'erf'
        ? erf(mul(x!, Math.SQRT1_2))
        : tanh(mul(mul(x!, add(mul(mul(x!, x!), 0.044715), 1)), Math.sqrt(2 / Math.PI)));
    return [mul(mul(x!, 0.5), add(inner, 1))];
  },
});

/** The op of `swiglu`: silu(gate) * up. Its gradient computes silu(gate) again. */
export const swigluOp = defineOp<Attributes>({
  name: 'swiglu',
  infer: (inputs) => {
    const [gate, up] = inputs;
    if (
      !gate ||
      !up ||
      !sameShape(gate.shape, up.shape) ||
      gate.dtype !== up.dtype ||
      !isFloat(gate.dtype)
    ) {
      throw opTypesDoNotFit('swiglu', inputs, 'takes a float gate and up of one type');
    }
    return [{ dtype: gate.dtype, shape: gate.shape }];
  },
  decompose: ([gate, up]) => [mul(silu(gate!), up!)],
  // d silu(g) = s + silu(g) (1 - s) with s = sigmoid(g); silu(g) is computed again rather than
  // kept.
  gradient: (node, [gradient], needed) => {
    const [gate, up] = node.inputs as [Value, Value];
    const opening = sigmoid(gate);
    const activated = mul(gate, opening);
    return [
      needed[0]
        ? mul(mul(gradient!, up), add(opening, mul(activated, sub(1, opening))))
        : undefined,
      needed[1] ? mul(gradient!, activated) : undefined,
    ];
  },
});

/** Gaussian error linear unit (Hendrycks and Gimpel 2016), exact or with the tanh approximation. */
export function gelu(x: Value, approximation: GeluAttributes['approximation']): Value {
  return applyOne(geluOp, [x], { approximation });
}
/** silu(gate) * up (Shazeer 2020). */
export function swiglu(gate: Value, up: Value): Value {
  return applyOne(swigluOp, [gate, up], {});
}
/** max(x, 0), elementwise. */
export function relu(x: Value): Value {
  return maximum(x, 0);
}
