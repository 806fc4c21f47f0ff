// Logarithms of probabilities that lie close to 0 or 1, without loss of digits at either end: what
// losses of pairs are made of.
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import type { Attributes } from '../types.ts';
import { mul, neg, reciprocal, sub } from './binary.ts';
import { minimum } from './extremes.ts';
import { greater, where } from './logic.ts';
import { abs, exp, expm1, log, log1p, sigmoid } from './unary.ts';

/** The op of `logSigmoid`: log(1 / (1 + e^-x)). */
export const logSigmoidOp = defineOp<Attributes>({
  name: 'logSigmoid',
  decompose: ([x]) => [sub(minimum(x!, 0), log1p(exp(neg(abs(x!)))))],
  gradient: (node, [gradient]) => [mul(gradient!, sigmoid(neg(node.inputs[0]!)))],
});

/** The op of `log1mexp`: log(1 - e^x) of x < 0 (Maechler 2012). */
export const log1mexpOp = defineOp<Attributes>({
  name: 'log1mexp',
  decompose: ([x]) => [where(greater(x!, -Math.LN2), log(neg(expm1(x!))), log1p(neg(exp(x!))))],
  // -e^x / (1 - e^x)
  gradient: (node, [gradient]) => [neg(mul(gradient!, reciprocal(expm1(neg(node.inputs[0]!)))))],
});

/** log sigmoid(x): x below, 0 above, and neither overflows nor underflows in between. */
export function logSigmoid(x: Value): Value {
  return applyOne(logSigmoidOp, [x], {});
}
/** log(1 + e^x) = -logSigmoid(-x). */
export function softplus(x: Value): Value {
  return neg(logSigmoid(neg(x)));
}
/** log(1 - e^x) of a log-probability x < 0; -Infinity at 0. */
export function log1mexp(x: Value): Value {
  return applyOne(log1mexpOp, [x], {});
}
