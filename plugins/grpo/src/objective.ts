// The objective of answers with advantages: their tokens' log-probabilities under the policy, and under
// the policy that wrote them and the reference where those differ, in a loss of the table.
import type { Objective, Ratio } from '@lmflow/sdk';
import { abs, mul, reshape, sub, sum, type Value } from '@lmflow/sdk/graph';
import {
  answerLogProbs,
  atTokens,
  ofReference,
  sequenceSums,
  withoutDropout,
  type Trace,
} from '@lmflow/sdk/model';
import { ADVANTAGE, OLD, REFERENCE, SAMPLED, type ColumnsNeeded } from './columns.ts';
import { ANSWER_LOSSES, answerLoss, type LossNumbers } from './losses.ts';

/** What the objective is built for. */
export interface ObjectiveRequest extends ColumnsNeeded {
  readonly numbers: LossNumbers;
  /** Logits are divided by it, as they were when answers were drawn. */
  readonly temperature: number;
  readonly disableDropout: boolean;
  /** Further options that decide what is trained, for a resumed run to compare. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The objective `grpo`. */
export function answersObjective(request: ObjectiveRequest): Objective {
  const { numbers, temperature, disableDropout, stale, facts } = request;
  const { divided } = ANSWER_LOSSES[numbers.lossType];
  return {
    name: 'grpo',
    options: { ...numbers, temperature, disableDropout, stale, ...facts },
    build: (trace) => {
      // first, so that nothing of the policy is kept meanwhile
      const reference = referenceLogProbs(trace, request);
      const policy = answerLogProbs(disableDropout ? withoutDropout(trace) : trace, {
        temperature,
      });
      const { logProbs, answered, entropies } = policy;
      const old = stale ? column(trace, OLD) : undefined;
      const { loss, figures } = answerLoss(
        {
          logProbs,
          old,
          reference,
          answered,
          advantages: trace.input(ADVANTAGE),
          sums: (values) => sequenceSums(trace, values),
          spread: (values) => atTokens(trace, values),
        },
        numbers,
      );
      const tokens = sum(answered);
      return {
        loss,
        metrics: {
          ...figures,
          entropy: { sum: sum(mul(entropies, answered)), weight: tokens },
          ...(request.sampled ? difference(trace, old ?? logProbs, answered) : {}),
        },
      };
    },
    weight: ({ trainedTokens, sequences }) =>
      divided === 'tokens' ? trainedTokens : sequences.length,
    perToken: true,
    shown: ['reward', 'reward_std', 'kl', 'completions/mean_length', 'completions/clipped_ratio'],
  };
}

function column(trace: Trace, name: string): Value {
  return reshape(trace.input(name), [trace.batchSize * trace.length]);
}

function referenceLogProbs(
  trace: Trace,
  { reference, temperature }: ObjectiveRequest,
): Value | undefined {
  switch (reference) {
    case 'none':
      return undefined;
    case 'adapter':
      return answerLogProbs(ofReference(trace), { temperature }).logProbs;
    case 'column':
      return column(trace, REFERENCE);
  }
}

/** How far what the sampler said of the tokens is from what training finds. */
function difference(trace: Trace, written: Value, answered: Value): Record<string, Ratio> {
  const off = mul(abs(sub(written, column(trace, SAMPLED))), answered);
  return { 'sampling/sampling_logp_difference/mean': { sum: sum(off), weight: sum(answered) } };
}
