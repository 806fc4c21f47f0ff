// Gradient descent as torch.optim.SGD.
import { add, mul, sub, type Shape } from '@lmflow/sdk/graph';
import { DECAY, numberOf, type Optimizer, type OptimizerUpdate } from '../optimizer.ts';

/**
 * Plain, with momentum, or with Nesterov's; the decay is added to the gradient. The first gradient
 * enters the momentum undampened, as in torch.
 */
export const sgd: Optimizer = {
  name: 'sgd',
  reads: [],
  arguments: { momentum: 0, dampening: 0, nesterov: false },
  ranges: { momentum: DECAY, dampening: { min: 0, max: 1 } },
  conflict: ({ momentum, dampening, nesterov }) =>
    nesterov === true && (momentum === 0 || dampening !== 0)
      ? `nesterov needs a momentum above 0 and no dampening, and momentum is ${momentum}, dampening ${dampening}`
      : undefined,
  state: ({ shape }, given): Record<string, Shape> =>
    given['momentum'] === 0 ? {} : { momentum_buffer: shape },
  scalars: ({ step, learningRate, weightDecay, arguments: given }) => ({
    learningRate,
    weightDecay,
    momentum: numberOf(given, 'momentum'),
    fresh: step === 1 ? 1 : 1 - numberOf(given, 'dampening'),
  }),
  update: ({
    parameter,
    gradient,
    state,
    scalars: { learningRate, weightDecay, momentum, fresh },
    arguments: given,
  }): OptimizerUpdate => {
    const decayed = add(gradient, mul(parameter, weightDecay!));
    const before = state['momentum_buffer'];
    if (!before) return { parameter: sub(parameter, mul(decayed, learningRate!)), state: {} };
    const buffer = add(mul(before, momentum!), mul(decayed, fresh!));
    const direction = given['nesterov'] === true ? add(decayed, mul(buffer, momentum!)) : buffer;
    return {
      parameter: sub(parameter, mul(direction, learningRate!)),
      state: { momentum_buffer: buffer },
    };
  },
};
