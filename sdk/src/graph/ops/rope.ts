// Rotary position embedding (Su et al. 2021), the half-split layout of Llama: pairs are (i, i +
// D/2).
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import { isFloat, type Attributes } from '../types.ts';
import { graphError, opTypesDoNotFit } from '../errors.ts';
import { add, mul, sub, neg } from './binary.ts';
import { concat, reshape, slice } from './shape.ts';
import { gather } from './gather.ts';

/** The op of `rope`. Inputs: x [B, T, H, D], cos and sin [P, D/2], int32 positions [B, T]. */
export const ropeOp = defineOp<Attributes>({
  name: 'rope',
  infer: (inputs) => {
    const [x, cos, sin, positions] = inputs;
    const [batch, length, , width] = x?.shape ?? [];
    const fits =
      x?.shape.length === 4 &&
      isFloat(x.dtype) &&
      cos?.dtype === x.dtype &&
      sin?.dtype === x.dtype &&
      cos.shape.length === 2 &&
      cos.shape[1]! * 2 === width &&
      sin.shape.join() === cos.shape.join() &&
      positions?.dtype === 'int32' &&
      positions.shape.join() === [batch, length].join();
    if (!fits) {
      throw opTypesDoNotFit(
        'rope',
        inputs,
        'takes float x [B, T, H, D], cos and sin [P, D/2] of its dtype and int32 positions [B, T]',
      );
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  decompose: ([x, cos, sin, positions]) => {
    const [batch, length, heads, width] = x!.shape as [number, number, number, number];
    const half = width / 2;
    const table = (values: Value): Value =>
      reshape(gather(values, positions!), [batch, length, 1, half]);
    const [cosine, sine] = [table(cos!), table(sin!)];
    const first = slice(x!, [0, 0, 0, 0], [batch, length, heads, half]);
    const second = slice(x!, [0, 0, 0, half], [batch, length, heads, width]);
    return [
      concat(
        [sub(mul(first, cosine), mul(second, sine)), add(mul(second, cosine), mul(first, sine))],
        3,
      ),
    ];
  },
  // A rotation's gradient is the rotation back.
  gradient: (node, [gradient], needed) => {
    if (needed[1] || needed[2]) throw graphError(node.name, 'the tables of rope get no gradient');
    const [, cos, sin, positions] = node.inputs as [Value, Value, Value, Value];
    return [rope(gradient!, cos, neg(sin), positions)];
  },
});

/**
 * Rotates x [B, T, H, D] by its int32 positions [B, T]; cos and sin are tables [P, D/2] for
 * positions 0 .. P - 1 and get no gradient.
 */
export function rope(x: Value, cos: Value, sin: Value, positions: Value): Value {
  return applyOne(ropeOp, [x, cos, sin, positions], {});
}
