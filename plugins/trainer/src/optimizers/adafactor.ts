// Adafactor (Shazeer and Stern 2018) as transformers.optimization.Adafactor computes it with a
// learning rate of its own (relative_step off).
import {
  add,
  broadcastTo,
  div,
  maximum,
  mul,
  reciprocal,
  reshape,
  sqrt,
  sub,
  sum,
  type Value,
} from '@lmflow/sdk/graph';
import { sizeOf } from '@lmflow/sdk/graph';
import { DECAY, NOT_NEGATIVE, numberOf, type Optimizer } from '../optimizer.ts';

const rootMeanSquare = (x: Value): Value => sqrt(mul(sum(mul(x, x)), 1 / sizeOf(x.shape)));

/**
 * Second moments of a matrix as those of its rows and columns: n + m numbers instead of n m.
 * `beta1` 0 is no first moment. Defaults are those of transformers' Trainer (scale_parameter off);
 * eps1 is added to squares, eps2 is the least scale of a parameter.
 */
export const adafactor: Optimizer = {
  name: 'adafactor',
  reads: [],
  arguments: {
    eps1: 1e-30,
    eps2: 1e-3,
    clip_threshold: 1,
    decay_rate: -0.8,
    beta1: 0,
    scale_parameter: false,
  },
  ranges: {
    eps1: NOT_NEGATIVE,
    eps2: NOT_NEGATIVE,
    clip_threshold: { above: 0 },
    decay_rate: { max: 0 },
    beta1: DECAY,
  },
  state: ({ shape }, given) => ({
    ...(shape.length >= 2
      ? {
          exp_avg_sq_row: shape.slice(0, -1),
          exp_avg_sq_col: [...shape.slice(0, -2), shape.at(-1)!],
        }
      : { exp_avg_sq: shape }),
    ...(given['beta1'] === 0 ? {} : { exp_avg: shape }),
  }),
  scalars: ({ step, learningRate, weightDecay, arguments: given }) => {
    const beta2 = 1 - step ** numberOf(given, 'decay_rate');
    const beta1 = numberOf(given, 'beta1');
    return { learningRate, weightDecay, beta2, rest2: 1 - beta2, beta1, rest1: 1 - beta1 };
  },
  update: ({
    parameter,
    gradient,
    state,
    scalars: { learningRate, weightDecay, beta2, rest2, beta1, rest1 },
    arguments: given,
  }) => {
    const decayed = (name: string, fresh: Value): Value =>
      add(mul(state[name]!, beta2!), mul(fresh, rest2!));
    const squares = add(mul(gradient, gradient), numberOf(given, 'eps1'));
    const next: Record<string, Value> = {};
    let scale: Value;
    if (state['exp_avg_sq']) {
      next['exp_avg_sq'] = decayed('exp_avg_sq', squares);
      scale = reciprocal(sqrt(next['exp_avg_sq']));
    } else {
      const rank = squares.shape.length;
      const mean = (x: Value, axis: number): Value =>
        reshape(
          mul(sum(x, { axes: [axis] }), 1 / x.shape[axis]!),
          x.shape.filter((_, index) => index !== axis),
        );
      const row = (next['exp_avg_sq_row'] = decayed('exp_avg_sq_row', mean(squares, rank - 1)));
      const column = (next['exp_avg_sq_col'] = decayed('exp_avg_sq_col', mean(squares, rank - 2)));
      const rowMean = mul(sum(row, { axes: [rank - 2], keepDims: true }), 1 / row.shape[rank - 2]!);
      const ofRows = reshape(reciprocal(sqrt(div(row, broadcastTo(rowMean, row.shape)))), [
        ...row.shape,
        1,
      ]);
      scale = mul(
        ofRows,
        reshape(reciprocal(sqrt(column)), [...column.shape.slice(0, -1), 1, column.shape.at(-1)!]),
      );
    }
    const raw = mul(scale, gradient);
    const clipped = div(
      raw,
      maximum(div(rootMeanSquare(raw), numberOf(given, 'clip_threshold')), 1),
    );
    const rate =
      given['scale_parameter'] === true
        ? mul(maximum(rootMeanSquare(parameter), numberOf(given, 'eps2')), learningRate!)
        : learningRate!;
    let change = mul(clipped, rate);
    if (state['exp_avg']) {
      change = next['exp_avg'] = add(mul(state['exp_avg'], beta1!), mul(change, rest1!));
    }
    return {
      parameter: sub(sub(parameter, mul(parameter, mul(rate, weightDecay!))), change),
      state: next,
    };
  },
};
