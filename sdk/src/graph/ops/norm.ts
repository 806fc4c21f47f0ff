// Normalisation over the last axis: rmsNorm (Zhang and Sennrich 2019) and layerNorm (Ba et al.
// 2016), each with its gradient.
import type { Value } from '../graph.ts';
import { applyOp, defineOp } from '../op.ts';
import { isFloat, type ValueType } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { add, mul, sub, reciprocal } from './binary.ts';
import { mean } from './reduce.ts';
import { sum } from './broadcast.ts';
import { sqrt } from './unary.ts';

type Epsilon = { readonly epsilon: number };

const lastAxis = { axes: [-1], keepDims: true } as const;
const overRows = (x: Value): Value => sum(x, { axes: x.shape.slice(0, -1).map((_, axis) => axis) });

function inferNorm(op: string, inputs: readonly ValueType[], operands: number): ValueType {
  const [x, ...scales] = inputs;
  const width = x?.shape[x.shape.length - 1];
  if (
    !x ||
    inputs.length !== operands ||
    !isFloat(x.dtype) ||
    scales.some(
      (scale) => scale.dtype !== x.dtype || scale.shape.length !== 1 || scale.shape[0] !== width,
    )
  ) {
    throw opTypesDoNotFit(
      op,
      inputs,
      `takes x [..., n]${operands === 2 ? ' and a weight [n]' : ', a weight [n] and a bias [n]'}`,
    );
  }
  return x;
}

const perRow = (x: ValueType): ValueType => ({
  dtype: x.dtype,
  shape: [...x.shape.slice(0, -1), 1],
});

/** Outputs: the result, and 1 / root mean square of each row. */
export const rmsNormOp = defineOp<Epsilon>({
  name: 'rmsNorm',
  infer: (inputs) => {
    const x = inferNorm('rmsNorm', inputs, 2);
    return [{ dtype: x.dtype, shape: x.shape }, perRow(x)];
  },
  results: 1,
  decompose: ([x, weight], { epsilon }) => {
    const inverse = reciprocal(sqrt(add(mean(mul(x!, x!), lastAxis), epsilon)));
    return [mul(mul(x!, inverse), weight!), inverse];
  },
  gradient: (node, [gradient], needed) => {
    const [x, weight] = node.inputs as [Value, Value];
    const inverse = node.outputs[1]!;
    const normalised = mul(x, inverse);
    return [
      needed[0] ? ofNormalised(mul(gradient!, weight), normalised, inverse, false) : undefined,
      needed[1] ? overRows(mul(gradient!, normalised)) : undefined,
    ];
  },
});

/** Outputs: the result, the mean of each row, and 1 / standard deviation of each row. */
export const layerNormOp = defineOp<Epsilon>({
  name: 'layerNorm',
  infer: (inputs) => {
    const x = inferNorm('layerNorm', inputs, 3);
    return [{ dtype: x.dtype, shape: x.shape }, perRow(x), perRow(x)];
  },
  results: 1,
  decompose: ([x, weight, bias], { epsilon }) => {
    const center = mean(x!, lastAxis);
    const centered = sub(x!, center);
    const inverse = reciprocal(sqrt(add(mean(mul(centered, centered), lastAxis), epsilon)));
    return [add(mul(mul(centered, inverse), weight!), bias!), center, inverse];
  },
  gradient: (node, [gradient], needed) => {
    const [x, weight] = node.inputs as [Value, Value];
    const [, center, inverse] = node.outputs as [Value, Value, Value];
    const normalised = mul(sub(x, center), inverse);
    return [
      needed[0] ? ofNormalised(mul(gradient!, weight), normalised, inverse, true) : undefined,
      needed[1] ? overRows(mul(gradient!, normalised)) : undefined,
      needed[2] ? overRows(gradient!) : undefined,
    ];
  },
});

/** d/dx of normalised = (x - center) inverse, for a gradient that arrives at `normalised`. */
function ofNormalised(
  gradient: Value,
  normalised: Value,
  inverse: Value,
  centered: boolean,
): Value {
  const along = mul(normalised, mean(mul(gradient, normalised), lastAxis));
  const rest = sub(gradient, along);
  return mul(centered ? sub(rest, mean(gradient, lastAxis)) : rest, inverse);
}

/** x / sqrt(mean(x^2) + epsilon) * weight, over the last axis. x [..., n], weight [n]. */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  return applyOp(rmsNormOp, [x, weight], { epsilon })[0]!;
}
/**
 * (x - mean) / sqrt(variance + epsilon) * weight + bias, over the last axis. x [..., n], weight and
 * bias [n].
 */
export function layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return applyOp(layerNormOp, [x, weight, bias], { epsilon })[0]!;
}
