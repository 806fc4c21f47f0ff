// The larger and the smaller of two operands, elementwise. The largest over axes is in reduce.ts.
import type { Value } from '../graph.ts';
import { applyOne } from '../op.ts';
import { binaryOp } from './binary.ts';
import { greaterOrEqual, lessOrEqual, where } from './logic.ts';
import { operands, type Operand } from './operands.ts';

/** The op of `maximum`. Where both operands are equal the gradient goes to the first. */
export const maximumOp = binaryOp('maximum', Math.max, (a, b, gradient, needed) =>
  chosen(greaterOrEqual(a, b), gradient, needed),
);
/** The op of `minimum`. Where both operands are equal the gradient goes to the first. */
export const minimumOp = binaryOp('minimum', Math.min, (a, b, gradient, needed) =>
  chosen(lessOrEqual(a, b), gradient, needed),
);

/** The gradient goes to the first operand where `first` holds, else to the second. */
function chosen(
  first: Value,
  gradient: Value,
  needed: readonly boolean[],
): [Value | undefined, Value | undefined] {
  return [
    needed[0] ? where(first, gradient, 0) : undefined,
    needed[1] ? where(first, 0, gradient) : undefined,
  ];
}

/** The larger of a and b; the gradient goes to a where they are equal. */
export function maximum(a: Operand, b: Operand): Value {
  return applyOne(maximumOp, operands(a, b), {});
}
/** The smaller of a and b; the gradient goes to a where they are equal. */
export function minimum(a: Operand, b: Operand): Value {
  return applyOne(minimumOp, operands(a, b), {});
}
