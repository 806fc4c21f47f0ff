// What losses of pairs are made of: log-probabilities of both answers under the policy and the
// reference, their lengths, and the scores that a divergence makes of them.
import { add, div, exp, logSigmoid, minimum, mul, neg, sub, type Value } from '@lmflow/sdk/graph';

/** One answer of every pair; all values are [pairs]. */
export interface Side {
  /** Sum of the log-probabilities of its tokens under the policy. */
  readonly logProb: Value;
  /** The same under the reference; undefined where there is none. */
  readonly reference?: Value | undefined;
  /** Number of its tokens. */
  readonly length: Value;
}

/** Numbers that decide the losses, as the section `dpo` has them. */
export interface LossNumbers {
  readonly beta: number;
  readonly labelSmoothing: number;
  readonly fDivergenceType: Divergence;
  readonly fAlphaDivergenceCoef: number;
  readonly discopopTau: number;
  readonly simpoGamma: number;
}

/** A figure of both answers. */
export interface Both {
  readonly chosen: Value;
  readonly rejected: Value;
}

/** What a loss may read. */
export interface Terms {
  readonly numbers: LossNumbers;
  /** log policy - log reference; log policy where there is no reference. */
  readonly ratios: Both;
  /** What the divergence makes of the ratios. */
  readonly scores: Both;
  /** beta (score of chosen - score of rejected). */
  readonly logits: Value;
  /** log policy per token. */
  readonly averages: Both;
  readonly lengths: Both;
  /** Negative log-probability of the chosen answer. */
  readonly chosenLoss: Value;
  /** By how much the data say that chosen is better; undefined where they do not. */
  readonly margin: Value | undefined;
}

/** Names of the divergences, TRL's. */
export const DIVERGENCES = [
  'reverse_kl',
  'forward_kl',
  'js_divergence',
  'alpha_divergence',
] as const;

export type Divergence = (typeof DIVERGENCES)[number];

/** Above this, e^x of a score is not a number of float32 any more, with room for what follows. */
const LARGEST_EXPONENT = 80;

/** f'(ratio) of f-DPO (Wang et al. 2023), without what cancels between the answers. */
function scoreOf(ratio: Value, numbers: LossNumbers): Value {
  switch (numbers.fDivergenceType) {
    case 'reverse_kl':
      return ratio;
    case 'forward_kl':
      return sub(1, exp(minimum(neg(ratio), LARGEST_EXPONENT)));
    case 'js_divergence':
      return add(logSigmoid(ratio), Math.LN2);
    case 'alpha_divergence': {
      const power = numbers.fAlphaDivergenceCoef - 1;
      if (Math.abs(power) < 1e-6) return ratio; // the limit
      return mul(sub(exp(minimum(mul(ratio, power), LARGEST_EXPONENT)), 1), 1 / power);
    }
  }
}

/** The terms of pairs. */
export function termsOf(
  { chosen, rejected }: { readonly chosen: Side; readonly rejected: Side },
  numbers: LossNumbers,
  margin?: Value,
): Terms {
  const both = (figure: (side: Side) => Value): Both => ({
    chosen: figure(chosen),
    rejected: figure(rejected),
  });
  const ratios = both(({ logProb, reference }) => (reference ? sub(logProb, reference) : logProb));
  const scores = {
    chosen: scoreOf(ratios.chosen, numbers),
    rejected: scoreOf(ratios.rejected, numbers),
  };
  return {
    numbers,
    ratios,
    scores,
    logits: mul(sub(scores.chosen, scores.rejected), numbers.beta),
    averages: both(({ logProb, length }) => div(logProb, length)),
    lengths: both(({ length }) => length),
    chosenLoss: neg(chosen.logProb),
    margin,
  };
}
