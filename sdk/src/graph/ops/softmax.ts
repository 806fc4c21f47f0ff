// Softmax over the last axis.
import type { Value } from '../graph.ts';
import { applyOne, defineOp } from '../op.ts';
import { isFloat, type Attributes } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { mul, sub } from './binary.ts';
import { sum } from './broadcast.ts';

/** The op of `softmax`, over the last axis. */
export const softmaxOp = defineOp<Attributes>({
  name: 'softmax',
  infer: (inputs) => {
    const [x] = inputs;
    if (inputs.length !== 1 || !x || !isFloat(x.dtype) || x.shape.length === 0) {
      throw opTypesDoNotFit('softmax', inputs, 'takes one float operand with at least one axis');
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  evaluate: ([x]) => {
    const width = x!.shape[x!.shape.length - 1]!;
    const data = Float64Array.from(x!.data);
    for (let start = 0; start < data.length; start += width) {
      const row = data.subarray(start, start + width);
      const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
      let total = 0;
      for (let index = 0; index < width; index++) total += row[index] = Math.exp(row[index]! - top);
      for (let index = 0; index < width; index++) row[index]! /= total;
    }
    return [{ shape: x!.shape, data }];
  },
  gradient: (node, [gradient]) => {
    const y = node.outputs[0]!;
    return [mul(y, sub(gradient!, sum(mul(gradient!, y), { axes: [-1], keepDims: true })))];
  },
});

/** e^x / sum(e^x) over the last axis. */
export function softmax(x: Value): Value {
  return applyOne(softmaxOp, [x], {});
}
