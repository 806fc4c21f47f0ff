// LAMB (You et al. 2020, algorithm 2): AdamW's direction scaled for each tensor to the norm of the
// tensor itself.
import { defineOptimizer, type OptimizerSettings } from '@lmflow/sdk';
import {
  add,
  div,
  equal,
  logicalOr,
  minimum,
  mul,
  sqrt,
  sum,
  where,
  type Value,
} from '@lmflow/sdk/graph';
import { chain, type Transformation } from '../chain.ts';
import { addDecayedWeights } from '../transformations/decay.ts';
import { correctedRoot, correctedRootScalars, trackMoments } from '../transformations/moments.ts';
import { applyUpdate } from '../transformations/step.ts';

const norm = (x: Value): Value => sqrt(sum(mul(x, x)));

/**
 * Bias-corrected moments, the decay inside of what is scaled, the identity as the paper's phi; a
 * ratio of 1 where a norm is zero. Arguments as timm's Lamb has them: without `always_adapt` what
 * has no decay is not scaled (timm's default; the paper scales all), `trust_clip` never lets the
 * ratio pass 1.
 */
export const lamb = defineOptimizer({
  name: 'lamb',
  arguments: { always_adapt: true, trust_clip: false },
  make: (settings) =>
    chain(
      trackMoments(settings),
      correctMoments(settings),
      addDecayedWeights(),
      scaleByTrustRatio(settings.arguments),
      applyUpdate(),
    ),
});

/** The quotient of both means without their bias, learning rate apart. */
function correctMoments({ beta1, ...settings }: OptimizerSettings): Transformation {
  return {
    scalars: ({ step }) => ({
      ...correctedRootScalars(settings, step),
      correction: 1 / (1 - beta1 ** step),
    }),
    update: ({ update, state, scalars }) => ({
      update: div(
        mul(update, scalars['correction']!),
        correctedRoot(state['exp_avg_sq']!, scalars),
      ),
    }),
  };
}

/** The update scaled to the parameter's norm, times the learning rate. */
function scaleByTrustRatio({
  always_adapt: always,
  trust_clip: clip,
}: {
  readonly always_adapt: boolean;
  readonly trust_clip: boolean;
}): Transformation {
  return {
    scalars: ({ learningRate, weightDecay }) => ({ learningRate, weightDecay }),
    update: ({ update, parameter, scalars: { learningRate, weightDecay } }) => {
      const [own, wanted] = [norm(parameter), norm(update)];
      const zero = logicalOr(equal(own, 0), equal(wanted, 0));
      const quotient = div(own, add(wanted, where(equal(wanted, 0), 1, 0)));
      const ratio = where(
        always ? zero : logicalOr(zero, equal(weightDecay!, 0)),
        1,
        clip ? minimum(quotient, 1) : quotient,
      );
      return { update: mul(update, mul(ratio, learningRate!)) };
    },
  };
}
