// Reductions over axes beside the sum, which is in broadcast.ts: max and mean.
import type { Value } from '../graph.ts';
import { applyOne } from '../op.ts';
import { reduceAttributes, reduceOp, sum, type ReduceOptions } from './broadcast.ts';
import { div, mul } from './binary.ts';
import { equal } from './logic.ts';
import { cast } from './shape.ts';

/** Its gradient is shared evenly by the elements that equal the largest. */
export const maxOp = reduceOp('max', -Infinity, Math.max, (x, gradient, y, axes) => {
  const top = cast(equal(x, y()), x.dtype);
  return mul(top, div(gradient, sum(top, { axes, keepDims: true })));
});

/** Largest element over axes. */
export function max(x: Value, options: ReduceOptions = {}): Value {
  return applyOne(maxOp, [x], reduceAttributes(x, options));
}
/** Mean over axes. */
export function mean(x: Value, options: ReduceOptions = {}): Value {
  const count = reduceAttributes(x, options).axes.reduce(
    (product, axis) => product * x.shape[axis]!,
    1,
  );
  return mul(sum(x, options), 1 / count);
}
