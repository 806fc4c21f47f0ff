// Schedule-free AdamW (Defazio et al. 2024) as its authors' code (facebookresearch/schedule_free,
// AdamWScheduleFree) computes it.
import { defineOptimizer } from '@lmflow/sdk';
import { add, div, mul, sub } from '@lmflow/sdk/graph';
import { NOT_NEGATIVE } from '../ranges.ts';
import { correctedRoot, correctedRootScalars } from '../transformations/moments.ts';

/**
 * The gradient is taken at y = (1 - beta1) z + beta1 x, which is what the parameter holds; x, the
 * average of the z, is evaluated and saved. It replaces the schedule: the learning rate must not
 * fall. The decay acts at y. Weights of the average: lr_max^weight_lr_power step^r.
 */
export const scheduleFreeAdamw = defineOptimizer({
  name: 'schedule_free_adamw',
  arguments: { weight_lr_power: 2, r: 0 },
  ranges: { weight_lr_power: NOT_NEGATIVE, r: NOT_NEGATIVE },
  schedules: ['constant', 'constant_with_warmup'],
  make: ({ beta1, beta2, epsilon, arguments: { r, weight_lr_power } }) => {
    const weightAt = (step: number, highest: number): number =>
      step ** r * highest ** weight_lr_power;
    return {
      init: ({ shape }) => ({ z: { shape, start: 'parameter' }, exp_avg_sq: { shape } }),
      numbers: {
        first: { weight_sum: 0, lr_max: 0 },
        next: ({ step, learningRate, numbers }) => {
          const highest = Math.max(numbers['lr_max']!, Math.fround(learningRate));
          return {
            weight_sum: Math.fround(numbers['weight_sum']! + weightAt(step, highest)),
            lr_max: highest,
          };
        },
      },
      scalars: ({
        step,
        learningRate,
        weightDecay,
        numbers: { weight_sum: total, lr_max: highest },
      }) => {
        const share = total === 0 ? 0 : Math.min(1, weightAt(step, highest!) / total!);
        return {
          beta2,
          rest2: 1 - beta2,
          ...correctedRootScalars({ beta2, epsilon }, step),
          weightDecay,
          share,
          learningRate,
          rate: learningRate * (beta1 * (1 - share) - 1),
        };
      },
      update: ({ parameter, gradient, state, scalars }) => {
        const { weightDecay, share, learningRate, rate } = scalars;
        const z = state['z']!;
        const square = add(
          mul(state['exp_avg_sq']!, scalars['beta2']!),
          mul(mul(gradient, gradient), scalars['rest2']!),
        );
        const direction = add(
          div(gradient, correctedRoot(square, scalars)),
          mul(parameter, weightDecay!),
        );
        return {
          parameter: add(add(parameter, mul(sub(z, parameter), share!)), mul(direction, rate!)),
          state: { z: sub(z, mul(direction, learningRate!)), exp_avg_sq: square },
        };
      },
      evaluationWeights: (parameter, { z }) => {
        const share = beta1 === 0 ? 0 : 1 - 1 / beta1;
        return parameter.map((y, index) => y + share * (z![index]! - y));
      },
    };
  },
});
