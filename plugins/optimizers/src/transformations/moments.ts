// The two running means of Adam (of the gradient and of its square), and the quotient of them.
import type { OptimizerSettings } from '@lmflow/sdk';
import { add, div, mul, sqrt, type Value } from '@lmflow/sdk/graph';
import type { LinkValues, Transformation } from '../chain.ts';

type Betas = Pick<OptimizerSettings, 'beta1' | 'beta2'>;

/** Both means after another gradient. */
export function nextMoments(
  gradient: Value,
  { state, scalars: { beta1, beta2, rest1, rest2 } }: Pick<LinkValues, 'state' | 'scalars'>,
): { readonly exp_avg: Value; readonly exp_avg_sq: Value } {
  return {
    exp_avg: add(mul(state['exp_avg']!, beta1!), mul(gradient, rest1!)),
    exp_avg_sq: add(mul(state['exp_avg_sq']!, beta2!), mul(mul(gradient, gradient), rest2!)),
  };
}

/** The update becomes its running mean; beside it stands the mean of its square. */
export function trackMoments({ beta1, beta2 }: Betas): Transformation {
  return {
    init: ({ shape }) => ({ exp_avg: { shape }, exp_avg_sq: { shape } }),
    scalars: () => ({ beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2 }),
    update: (values) => {
      const state = nextMoments(values.update, values);
      return { update: state.exp_avg, state };
    },
  };
}

/**
 * The same as a chain's first link, from the summed gradient: its scale goes into the two factors,
 * which saves a pass over the numbers.
 */
export function trackMomentsOfSum(betas: Betas): Transformation {
  return {
    ...trackMoments(betas),
    update: ({ summed, scale, state, scalars: { beta1, beta2, rest1, rest2 } }) => {
      const mean = add(mul(state['exp_avg']!, beta1!), mul(summed, mul(rest1!, scale)));
      const square = add(
        mul(state['exp_avg_sq']!, beta2!),
        mul(mul(summed, summed), mul(rest2!, mul(scale, scale))),
      );
      return { update: mean, state: { exp_avg: mean, exp_avg_sq: square } };
    },
  };
}

/**
 * The mean over the root of the mean square, both without their bias towards zero, times the
 * learning rate. The second correction is taken out of the quotient, into rate and epsilon: that
 * saves a pass over the numbers.
 */
export function scaleByMoments({ beta1, beta2, epsilon }: OptimizerSettings): Transformation {
  return {
    scalars: ({ step, learningRate }) => {
      const root = 1 / Math.sqrt(1 - beta2 ** step);
      return { rate: learningRate / (1 - beta1 ** step) / root, epsilon: epsilon / root };
    },
    update: ({ update, state, scalars }) => ({
      update: mul(
        div(update, add(sqrt(state['exp_avg_sq']!), scalars['epsilon']!)),
        scalars['rate']!,
      ),
    }),
  };
}

/** Scalars of `correctedRoot`. */
export function correctedRootScalars(
  { beta2, epsilon }: Pick<OptimizerSettings, 'beta2' | 'epsilon'>,
  step: number,
): { readonly root: number; readonly epsilon: number } {
  return { root: 1 / Math.sqrt(1 - beta2 ** step), epsilon };
}

/** The root of a mean square without its bias, and epsilon: what a mean is divided by. */
export function correctedRoot(square: Value, { root, epsilon }: LinkValues['scalars']): Value {
  return add(mul(sqrt(square), root!), epsilon!);
}
