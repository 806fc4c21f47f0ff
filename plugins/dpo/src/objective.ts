// The objective of pairs: both answers' log-probabilities under policy and reference, the losses of
// the table over them, and TRL's figures.
import type { Objective, Ratio } from '@lmflow/sdk';
import {
  answerLogProbs,
  groupMembers,
  sequenceSums,
  withoutDropout,
  type AnswerLogProbs,
  type Trace,
} from '@lmflow/sdk/model';
import { add, greater, mul, reshape, sub, sum, where, type Value } from '@lmflow/sdk/graph';
import { referenceSums, type ReferenceSource } from './reference-sums.ts';
import type { LossSettings } from './settings.ts';
import { termsOf, type Both, type Terms } from './terms.ts';

/** The tensor [1] with pairs / tokens of chosen answers, over all micro-batches of a step. */
export const PAIRS_PER_TOKEN = 'pairsPerToken';

/** What the objective is built for. */
export interface ObjectiveRequest extends LossSettings {
  readonly reference: ReferenceSource;
  readonly disableDropout: boolean;
}

const PAIR = 2;

/** The objective `dpo`: a mean over pairs. */
export function pairObjective(request: ObjectiveRequest): Objective {
  const { losses, sft, numbers, reference, disableDropout } = request;
  return {
    name: 'dpo',
    options: {
      losses: losses.map(({ name, weight }) => `${weight} ${name}`).join(', '),
      sft,
      ...numbers,
      reference,
      disableDropout,
    },
    build: (trace) => {
      // first, so that nothing of the policy is kept meanwhile
      const ofReference = referenceSums(trace, reference);
      const policy = answerLogProbs(disableDropout ? withoutDropout(trace) : trace);
      const margins = losses.some(({ loss }) => loss.margin) ? trace.input('margin') : undefined;
      const terms = pairTerms(trace, policy, ofReference, { numbers, margins });
      const parts = losses.map(({ loss, weight }) => mul(sum(loss.build(terms)), weight));
      if (sft !== 0) {
        const scale = reshape(trace.input(PAIRS_PER_TOKEN), []);
        parts.push(mul(mul(sum(terms.chosenLoss), scale), sft));
      }
      const comparing = losses.some(({ loss }) => loss.reference);
      return {
        loss: parts.reduce((total, part) => add(total, part)),
        metrics: {
          ...rewardFigures(comparing ? terms.ratios : terms.averages, numbers.beta),
          ...answerFigures(trace, policy, ofReference),
        },
      };
    },
    weight: ({ sequences, groupSize }) => sequences.length / groupSize,
    perToken: true,
    shown: ['rewards/chosen', 'rewards/rejected', 'rewards/accuracies', 'rewards/margins'],
  };
}

/** The two answers of each pair. */
function both(values: Value): Both {
  const [chosen, rejected] = groupMembers(values, PAIR);
  return { chosen: chosen!, rejected: rejected! };
}

function pairTerms(
  trace: Trace,
  { logProbs, answered }: AnswerLogProbs,
  ofReference: Value | undefined,
  { numbers, margins }: Pick<LossSettings, 'numbers'> & { readonly margins: Value | undefined },
): Terms {
  const sums = both(sequenceSums(trace, logProbs));
  const lengths = both(sequenceSums(trace, answered));
  const reference = ofReference && both(ofReference);
  return termsOf(
    {
      chosen: { logProb: sums.chosen, reference: reference?.chosen, length: lengths.chosen },
      rejected: {
        logProb: sums.rejected,
        reference: reference?.rejected,
        length: lengths.rejected,
      },
    },
    numbers,
    margins && both(margins).chosen,
  );
}

/** What the policy gains over the reference, times beta; sums over pairs. */
function rewardFigures({ chosen, rejected }: Both, beta: number): Record<string, Value> {
  return {
    'rewards/chosen': mul(sum(chosen), beta),
    'rewards/rejected': mul(sum(rejected), beta),
    'rewards/accuracies': sum(where(greater(chosen, rejected), 1, 0)),
    'rewards/margins': mul(sum(sub(chosen, rejected)), beta),
  };
}

/** Log-probabilities a pair; logits and entropy a token. */
function answerFigures(
  trace: Trace,
  { logProbs, meanLogits, entropies, answered }: AnswerLogProbs,
  ofReference: Value | undefined,
): Record<string, Value | Ratio> {
  const totals = (values: Value): Both => {
    const { chosen, rejected } = both(values);
    return { chosen: sum(chosen), rejected: sum(rejected) };
  };
  const policy = totals(sequenceSums(trace, logProbs));
  const reference = ofReference && totals(ofReference);
  const logits = totals(sequenceSums(trace, meanLogits));
  const tokens = totals(sequenceSums(trace, answered));
  return {
    'logps/chosen': policy.chosen,
    'logps/rejected': policy.rejected,
    ...(reference
      ? { 'logps/ref_chosen': reference.chosen, 'logps/ref_rejected': reference.rejected }
      : {}),
    'logits/chosen': { sum: logits.chosen, weight: tokens.chosen },
    'logits/rejected': { sum: logits.rejected, weight: tokens.rejected },
    entropy: { sum: sum(entropies), weight: sum(answered) },
  };
}
