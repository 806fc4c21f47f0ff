// Adafactor (Shazeer and Stern 2018) as transformers.optimization.Adafactor computes it with a
// learning rate of its own (relative_step off).
import { defineOptimizer, type StateTensor } from '@lmflow/sdk';
import {
  add,
  broadcastTo,
  div,
  maximum,
  mul,
  reciprocal,
  reshape,
  sizeOf,
  sqrt,
  sub,
  sum,
  type Value,
} from '@lmflow/sdk/graph';
import { chain, type LinkResult, type Transformation } from '../chain.ts';
import { DECAY, NOT_NEGATIVE } from '../ranges.ts';
import { ema } from '../transformations/momentum.ts';
import { applyUpdate } from '../transformations/step.ts';

const rootMeanSquare = (x: Value): Value => sqrt(mul(sum(mul(x, x)), 1 / sizeOf(x.shape)));

/**
 * Second moments of a matrix as those of its rows and columns: n + m numbers instead of n m.
 * `beta1` 0 is no first moment. Defaults are those of transformers' Trainer (scale_parameter off);
 * eps1 is added to squares, eps2 is the least scale of a parameter.
 */
export const adafactor = defineOptimizer({
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
  make: ({ arguments: { eps1, eps2, clip_threshold, decay_rate, beta1, scale_parameter } }) =>
    chain(
      scaleByFactoredRms(eps1, decay_rate),
      clipByRms(clip_threshold),
      scaleAndDecay((parameter) =>
        scale_parameter ? maximum(rootMeanSquare(parameter), eps2) : undefined,
      ),
      ...(beta1 === 0 ? [] : [ema('exp_avg', beta1)]),
      applyUpdate(),
    ),
});

/** The update times the reciprocal root of its second moment: a matrix's by rows and columns. */
function scaleByFactoredRms(epsilon: number, decayRate: number): Transformation {
  return {
    init: ({ shape }): Record<string, StateTensor> =>
      shape.length >= 2
        ? {
            exp_avg_sq_row: { shape: shape.slice(0, -1) },
            exp_avg_sq_col: { shape: [...shape.slice(0, -2), shape.at(-1)!] },
          }
        : { exp_avg_sq: { shape } },
    scalars: ({ step }) => {
      const beta2 = 1 - step ** decayRate;
      return { beta2, rest2: 1 - beta2 };
    },
    update: ({ update, state, scalars: { beta2, rest2 } }): LinkResult => {
      const decayed = (name: string, fresh: Value): Value =>
        add(mul(state[name]!, beta2!), mul(fresh, rest2!));
      const squares = add(mul(update, update), epsilon);
      if (state['exp_avg_sq']) {
        const square = decayed('exp_avg_sq', squares);
        return { update: mul(reciprocal(sqrt(square)), update), state: { exp_avg_sq: square } };
      }
      const rank = squares.shape.length;
      const row = decayed('exp_avg_sq_row', meanOver(squares, rank - 1));
      const column = decayed('exp_avg_sq_col', meanOver(squares, rank - 2));
      return {
        update: mul(outerScale(row, column), update),
        state: { exp_avg_sq_row: row, exp_avg_sq_col: column },
      };
    },
  };
}

function meanOver(x: Value, axis: number): Value {
  return reshape(
    mul(sum(x, { axes: [axis] }), 1 / x.shape[axis]!),
    x.shape.filter((_, index) => index !== axis),
  );
}

/** The reciprocal root of the matrix that rows and columns stand for. */
function outerScale(row: Value, column: Value): Value {
  const last = row.shape.length - 1;
  const mean = mul(sum(row, { axes: [last], keepDims: true }), 1 / row.shape[last]!);
  return mul(
    reshape(reciprocal(sqrt(div(row, broadcastTo(mean, row.shape)))), [...row.shape, 1]),
    reshape(reciprocal(sqrt(column)), [...column.shape.slice(0, -1), 1, column.shape.at(-1)!]),
  );
}

/** Scales an update down whose root mean square is above the threshold. */
function clipByRms(threshold: number): Transformation {
  return {
    update: ({ update }) => ({
      update: div(update, maximum(div(rootMeanSquare(update), threshold), 1)),
    }),
  };
}

/**
 * Learning rate and decoupled decay, both times the scale of the parameter where it has one: one
 * link, since they share it.
 */
function scaleAndDecay(scaleOf: (parameter: Value) => Value | undefined): Transformation {
  return {
    scalars: ({ learningRate, weightDecay }) => ({ learningRate, weightDecay }),
    update: ({ update, parameter, scalars: { learningRate, weightDecay } }) => {
      const scale = scaleOf(parameter);
      const rate = scale ? mul(scale, learningRate!) : learningRate!;
      return {
        update: mul(update, rate),
        parameter: sub(parameter, mul(parameter, mul(rate, weightDecay!))),
      };
    },
  };
}
