// The objective of judged answers (Ethayarajh et al. 2024): good ones shall be likelier than under the
// reference by more than the policy is from it anyway, bad ones by less.
import type { Objective, Ratio } from '@lmflow/sdk';
import { answerLogProbs, sequenceSums, withoutDropout, type Trace } from '@lmflow/sdk/model';
import { add, mul, reshape, sigmoid, sub, sum, type Value } from '@lmflow/sdk/graph';
import { referenceSums, type ReferenceSource } from '@lmflow/plugin-dpo';
import type { KtoOptions } from './options.ts';

/** The tensor [1] with z. */
export const DIVERGENCE = 'divergence';

export interface ObjectiveRequest extends KtoOptions {
  readonly reference: Exclude<ReferenceSource, 'none'>;
}

/** The objective `kto`: a mean over answers. */
export function ktoObjective(request: ObjectiveRequest): Objective {
  const { reference, disableDropout, lossType } = request;
  return {
    name: 'kto',
    options: { ...request },
    build: (trace) => {
      const ofReference = referenceSums(trace, reference)!;
      const policy = answerLogProbs(disableDropout ? withoutDropout(trace) : trace);
      const logProbs = sequenceSums(trace, policy.logProbs);
      const good = trace.input('desirable');
      const ratios = sub(logProbs, ofReference);
      const z = lossType === 'kto' ? reshape(trace.input(DIVERGENCE), []) : 0;
      return {
        loss: judgedLoss(ratios, good, z, request),
        metrics: {
          ...judgedFigures(trace, 'rewards', mul(ratios, request.beta)),
          ...judgedFigures(trace, 'logps', logProbs),
          ...judgedFigures(trace, 'logps/ref', ofReference, '_'),
          entropy: { sum: sum(policy.entropies), weight: sum(policy.answered) },
        },
      };
    },
    weight: ({ sequences }) => sequences.length,
    perToken: true,
    figures: ({
      'rewards/chosen': chosen,
      'rewards/rejected': rejected,
    }): Record<string, number> =>
      chosen === undefined || rejected === undefined
        ? {}
        : { 'rewards/margins': chosen - rejected },
    shown: ['rewards/chosen', 'rewards/rejected', 'rewards/margins', 'kl'],
  };
}

/** The sum over answers; `good` is 1 or 0, `z` one number. */
export function judgedLoss(
  ratios: Value,
  good: Value,
  z: Value | number,
  { beta, desirableWeight, undesirableWeight }: Omit<KtoOptions, 'lossType' | 'disableDropout'>,
): Value {
  const gain = mul(sub(ratios, z), beta);
  // 1 - sigmoid(x) = sigmoid(-x)
  const ofGood = mul(mul(good, sigmoid(mul(gain, -1))), desirableWeight);
  const ofBad = mul(mul(sub(1, good), sigmoid(gain)), undesirableWeight);
  return sum(add(ofGood, ofBad));
}

/** A figure's means over the good and over the bad answers. */
function judgedFigures(
  trace: Trace,
  name: string,
  values: Value,
  separator = '/',
): Record<string, Ratio> {
  const good = trace.input('desirable');
  const bad = sub(1, good);
  return {
    [`${name}${separator}chosen`]: { sum: sum(mul(values, good)), weight: sum(good) },
    [`${name}${separator}rejected`]: { sum: sum(mul(values, bad)), weight: sum(bad) },
  };
}
