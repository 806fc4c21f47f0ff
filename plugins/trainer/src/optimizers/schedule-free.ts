// Schedule-free AdamW (Defazio et al. 2024) as its authors' code (facebookresearch/schedule_free,
// AdamWScheduleFree) computes it.
import { add, div, mul, sqrt, sub } from '@lmflow/sdk/graph';
import { NOT_NEGATIVE, numberOf, type Optimizer } from '../optimizer.ts';
import { adamScalars } from './adam.ts';

/**
 * The gradient is taken at y = (1 - beta1) z + beta1 x, which is what the parameter holds; x, the
 * average of the z, is evaluated and saved. It replaces the schedule: the learning rate must not
 * fall. The decay acts at y. Weights of the average: lr_max^weight_lr_power step^r.
 */
export const scheduleFreeAdamw: Optimizer = {
  name: 'schedule_free_adamw',
  arguments: { weight_lr_power: 2, r: 0 },
  ranges: { weight_lr_power: NOT_NEGATIVE, r: NOT_NEGATIVE },
  schedules: ['constant', 'constant_with_warmup'],
  numbers: { weight_sum: 0, lr_max: 0 },
  state: ({ shape }) => ({ z: shape, exp_avg_sq: shape }),
  copies: ['z'],
  scalars: (facts) => {
    const {
      step,
      learningRate,
      weightDecay,
      options: { adamBeta1 },
      arguments: given,
      numbers,
    } = facts;
    const { beta2, rest2, root, epsilon } = adamScalars(facts);
    const highest = (numbers['lr_max'] = Math.max(numbers['lr_max']!, Math.fround(learningRate)));
    const weight = step ** numberOf(given, 'r') * highest ** numberOf(given, 'weight_lr_power');
    const total = (numbers['weight_sum'] = Math.fround(numbers['weight_sum']! + weight));
    const share = total === 0 ? 0 : Math.min(1, weight / total);
    return {
      beta2: beta2!,
      rest2: rest2!,
      root: root!,
      epsilon: epsilon!,
      weightDecay,
      share,
      learningRate,
      rate: learningRate * (adamBeta1 * (1 - share) - 1),
    };
  },
  update: ({
    parameter,
    gradient,
    state,
    scalars: { beta2, rest2, root, epsilon, weightDecay, share, learningRate, rate },
  }) => {
    const z = state['z']!;
    const square = add(mul(state['exp_avg_sq']!, beta2!), mul(mul(gradient, gradient), rest2!));
    const direction = add(
      div(gradient, add(mul(sqrt(square), root!), epsilon!)),
      mul(parameter, weightDecay!),
    );
    return {
      parameter: add(add(parameter, mul(sub(z, parameter), share!)), mul(direction, rate!)),
      state: { z: sub(z, mul(direction, learningRate!)), exp_avg_sq: square },
    };
  },
  evaluationWeights: (parameter, { z }, { adamBeta1 }) => {
    const share = adamBeta1 === 0 ? 0 : 1 - 1 / adamBeta1;
    return parameter.map((y, index) => y + share * (z![index]! - y));
  },
};
