// AdamW and Adam as torch.optim computes them.
import { add, div, mul, sqrt, sub, type Value } from '@lmflow/sdk/graph';
import type { Optimizer, UpdateFacts, UpdateValues } from '../optimizer.ts';

/** Scalars of both moments: decays, bias corrections and epsilon. */
export function adamScalars({
  step,
  learningRate,
  weightDecay,
  options: { adamBeta1, adamBeta2, adamEpsilon },
}: UpdateFacts): Record<string, number> {
  return {
    beta1: adamBeta1,
    beta2: adamBeta2,
    rest1: 1 - adamBeta1,
    rest2: 1 - adamBeta2,
    keep: 1 - learningRate * weightDecay,
    rate: learningRate / (1 - adamBeta1 ** step),
    root: 1 / Math.sqrt(1 - adamBeta2 ** step),
    epsilon: adamEpsilon,
  };
}

/** The moments after a gradient. */
export function moments(
  gradient: Value,
  { state, scalars: { beta1, beta2, rest1, rest2 } }: UpdateValues,
): { readonly mean: Value; readonly square: Value } {
  return {
    mean: add(mul(state['exp_avg']!, beta1!), mul(gradient, rest1!)),
    square: add(mul(state['exp_avg_sq']!, beta2!), mul(mul(gradient, gradient), rest2!)),
  };
}

/**
 * The scalars of `adamChange`: the second bias correction is taken out of the quotient, which saves
 * a pass over the numbers.
 */
export function changeScalars(facts: UpdateFacts): Record<string, number> {
  const { rate, root, epsilon, ...others } = adamScalars(facts) as Record<
    'rate' | 'root' | 'epsilon',
    number
  >;
  return { ...others, rate: rate / root, epsilon: epsilon / root };
}

/** The update of AdamW without the decay: bias-corrected, epsilon outside the root. */
export function adamChange(
  mean: Value,
  square: Value,
  { rate, epsilon }: UpdateValues['scalars'],
): Value {
  return mul(div(mean, add(sqrt(square), epsilon!)), rate!);
}

/**
 * AdamW (Loshchilov and Hutter 2019): decoupled decay. Its time is that of its passes over the
 * numbers: the gradient is averaged and clipped by its factors.
 */
export const adamw: Optimizer = {
  name: 'adamw',
  state: ({ shape }) => ({ exp_avg: shape, exp_avg_sq: shape }),
  scalars: changeScalars,
  update: ({ parameter, summed, scale, decays, state, scalars }) => {
    const { beta1, beta2, rest1, rest2, keep } = scalars;
    const mean = add(mul(state['exp_avg']!, beta1!), mul(summed, mul(rest1!, scale)));
    const square = add(
      mul(state['exp_avg_sq']!, beta2!),
      mul(mul(summed, summed), mul(rest2!, mul(scale, scale))),
    );
    return {
      parameter: sub(decays ? mul(parameter, keep!) : parameter, adamChange(mean, square, scalars)),
      state: { exp_avg: mean, exp_avg_sq: square },
    };
  },
};

/** Adam (Kingma and Ba 2015) as torch.optim.Adam: the decay is added to the gradient. */
export const adam: Optimizer = {
  name: 'adam',
  state: adamw.state,
  scalars: (facts) => {
    const { keep: _keep, ...scalars } = changeScalars(facts);
    return { ...scalars, weightDecay: facts.weightDecay };
  },
  update: (values) => {
    const { parameter, gradient, scalars } = values;
    const { mean, square } = moments(
      add(gradient, mul(parameter, scalars['weightDecay']!)),
      values,
    );
    return {
      parameter: sub(parameter, adamChange(mean, square, scalars)),
      state: { exp_avg: mean, exp_avg_sq: square },
    };
  },
};
