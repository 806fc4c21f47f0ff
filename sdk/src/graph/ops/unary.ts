// Elementwise ops of one operand, as a table: what they compute and how a gradient passes through.
import type { Value } from '../graph.ts';
import { applyOne } from '../op.ts';
import { add, mul, neg, reciprocal, sub } from './binary.ts';
import { sign as signOf } from './sign.ts';
import { unaryOp } from './unary-op.ts';

const sigmoidNumber = (x: number): number => 1 / (1 + Math.exp(-x));
const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

/** The op of `exp`: e^x. */
export const expOp = unaryOp('exp', Math.exp, (_x, y, gradient) => mul(gradient, y));
/** The op of `log`, the natural logarithm; NaN below 0. */
export const logOp = unaryOp('log', Math.log, (x, _y, gradient) => mul(gradient, reciprocal(x)));
/** The op of `sqrt`; NaN below 0. */
export const sqrtOp = unaryOp('sqrt', Math.sqrt, (_x, y, gradient) =>
  mul(mul(gradient, 0.5), reciprocal(y)),
);
/** The op of `tanh`, the hyperbolic tangent. */
export const tanhOp = unaryOp('tanh', Math.tanh, (_x, y, gradient) =>
  mul(gradient, sub(1, mul(y, y))),
);
/** The op of `sigmoid`: 1 / (1 + e^-x). */
export const sigmoidOp = unaryOp('sigmoid', sigmoidNumber, (_x, y, gradient) =>
  mul(gradient, mul(y, sub(1, y))),
);
/** The op of `sin`, of radians. */
export const sinOp = unaryOp('sin', Math.sin, (x, _y, gradient) => mul(gradient, cos(x)));
/** The op of `cos`, of radians. */
export const cosOp = unaryOp('cos', Math.cos, (x, _y, gradient) => neg(mul(gradient, sin(x))));
/** The op of `abs`. Its gradient at 0 is 0. */
export const absOp = unaryOp('abs', Math.abs, (x, _y, gradient) => mul(gradient, signOf(x)));
/** The op of `log1p`: log(1 + x). */
export const log1pOp = unaryOp('log1p', Math.log1p, (x, _y, gradient) =>
  mul(gradient, reciprocal(add(x, 1))),
);
/** The op of `expm1`: e^x - 1. */
export const expm1Op = unaryOp('expm1', Math.expm1, (_x, y, gradient) => mul(gradient, add(y, 1)));
/** The op of `erf`, the Gauss error function. */
export const erfOp = unaryOp('erf', erfNumber, (x, _y, gradient) =>
  mul(gradient, mul(exp(neg(mul(x, x))), TWO_OVER_ROOT_PI)),
);
/** silu(x) = x sigmoid(x). */
export const siluOp = unaryOp(
  'silu',
  (x) => x * sigmoidNumber(x),
  (x, y, gradient) => {
    const gate = sigmoid(x);
    return mul(gradient, add(gate, mul(y, sub(1, gate))));
  },
);

/** e^x, elementwise. */
export function exp(x: Value): Value {
  return applyOne(expOp, [x], {});
}
/** Natural logarithm. */
export function log(x: Value): Value {
  return applyOne(logOp, [x], {});
}
/** log(1 + x), exact to the last digits also near 0. */
export function log1p(x: Value): Value {
  return applyOne(log1pOp, [x], {});
}
/** e^x - 1, exact to the last digits also near 0. */
export function expm1(x: Value): Value {
  return applyOne(expm1Op, [x], {});
}
/** Square root. */
export function sqrt(x: Value): Value {
  return applyOne(sqrtOp, [x], {});
}
/** Hyperbolic tangent. */
export function tanh(x: Value): Value {
  return applyOne(tanhOp, [x], {});
}
/** 1 / (1 + e^-x), elementwise. */
export function sigmoid(x: Value): Value {
  return applyOne(sigmoidOp, [x], {});
}
/** Sine of radians. */
export function sin(x: Value): Value {
  return applyOne(sinOp, [x], {});
}
/** Cosine of radians. */
export function cos(x: Value): Value {
  return applyOne(cosOp, [x], {});
}
/** |x|; its gradient at 0 is 0. */
export function abs(x: Value): Value {
  return applyOne(absOp, [x], {});
}
/** The error function. */
export function erf(x: Value): Value {
  return applyOne(erfOp, [x], {});
}
/** x sigmoid(x), also called swish (Elfwing et al. 2017). */
export function silu(x: Value): Value {
  return applyOne(siluOp, [x], {});
}

/**
 * erf in float64: its power series near 0, a continued fraction of erfc beyond (Abramowitz and
 * Stegun 7.1.5 and 7.1.14).
 */
function erfNumber(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = size;
    let total = size;
    for (let n = 1; Math.abs(term) > 1e-18 * total && n < 200; n++) {
      term *= -(size * size) / n;
      total += term / (2 * n + 1);
    }
    return Math.sign(x) * TWO_OVER_ROOT_PI * total;
  }
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-size * size) / (Math.sqrt(Math.PI) * (size + fraction)));
}
