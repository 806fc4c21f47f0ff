// Optimizers as a table of tensor programs: what one step does to a parameter, its gradient and its state. How it is run is in update.ts.
import { token, type Parameter } from '@lmflow/sdk';
import { add, div, mul, sqrt, sub, type Shape, type Value } from '@lmflow/sdk/graph';
import type { TrainerOptions } from './options.ts';

/** Facts of one update, before they become scalars of the program. */
export interface UpdateFacts {
  /** Updates of this parameter, from 1. */
  readonly step: number;
  /** Of this step and parameter. */
  readonly learningRate: number;
  /** 0 where the parameter has no decay. */
  readonly weightDecay: number;
  readonly options: TrainerOptions;
}

/** Values of the update program. The gradient is averaged and clipped already. */
export interface UpdateValues {
  readonly parameter: Value;
  readonly gradient: Value;
  readonly state: Readonly<Record<string, Value>>;
  /** float32 scalars, fed at every step. */
  readonly scalars: Readonly<Record<string, Value>>;
}

export interface Optimizer {
  readonly name: string;
  /** Tensors kept beside a parameter, zero at first, by name. */
  state(parameter: Parameter): Readonly<Record<string, Shape>>;
  /** Numbers that change from step to step; always the same names. */
  scalars(facts: UpdateFacts): Readonly<Record<string, number>>;
  /** Builds the new parameter and the new state. An elementwise program runs as one loop; any other runs in the engine. */
  update(values: UpdateValues): { readonly parameter: Value; readonly state: Readonly<Record<string, Value>> };
}

/** AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW computes it: decoupled decay, bias correction, epsilon outside the root. */
export const adamw: Optimizer = {
  name: 'adamw',
  state: ({ shape }) => ({ exp_avg: shape, exp_avg_sq: shape }),
  scalars: ({ step, learningRate, weightDecay, options: { adamBeta1, adamBeta2, adamEpsilon } }) => ({
    beta1: adamBeta1,
    beta2: adamBeta2,
    rest1: 1 - adamBeta1,
    rest2: 1 - adamBeta2,
    keep: 1 - learningRate * weightDecay,
    rate: learningRate / (1 - adamBeta1 ** step),
    root: 1 / Math.sqrt(1 - adamBeta2 ** step),
    epsilon: adamEpsilon,
  }),
  update: ({ parameter, gradient, state, scalars: { beta1, beta2, rest1, rest2, keep, rate, root, epsilon } }) => {
    const mean = add(mul(state['exp_avg']!, beta1!), mul(gradient, rest1!));
    const square = add(mul(state['exp_avg_sq']!, beta2!), mul(mul(gradient, gradient), rest2!));
    const change = div(mul(mean, rate!), add(mul(sqrt(square), root!), epsilon!));
    return { parameter: sub(mul(parameter, keep!), change), state: { exp_avg: mean, exp_avg_sq: square } };
  },
};

/** Plain gradient descent as torch.optim.SGD without momentum: the decay is added to the gradient. */
export const sgd: Optimizer = {
  name: 'sgd',
  state: () => ({}),
  scalars: ({ learningRate, weightDecay }) => ({ learningRate, weightDecay }),
  update: ({ parameter, gradient, scalars: { learningRate, weightDecay } }) => ({
    parameter: sub(parameter, mul(add(gradient, mul(parameter, weightDecay!)), learningRate!)),
    state: {},
  }),
};

/** The optimizers by their name in `optim`; a plugin adds a row before training begins. */
export const OPTIMIZERS = token<Map<string, Optimizer>>('@lmflow/plugin-trainer/optimizers');

/** A fresh table of the optimizers offered here. */
export function optimizers(): Map<string, Optimizer> {
  return new Map([['adamw_torch', adamw], ['adamw_torch_fused', adamw], ['sgd', sgd]]);
}
