// The losses of answers with advantages, one row each, as tensor programs over what the policy, the
// policy that wrote the answers and the reference say of their tokens. Formulas: docs/notes/grpo.md.
import {
  add,
  cast,
  detach,
  div,
  exp,
  expm1,
  greater,
  less,
  logicalAnd,
  logicalOr,
  maximum,
  minimum,
  mul,
  neg,
  sub,
  sum,
  type Value,
} from '@lmflow/sdk/graph';
import type { Ratio } from '@lmflow/sdk';

/** What a step's sums are divided by. */
export type Normaliser = 'tokens' | 'sequences';

/** A loss of answers. */
export interface AnswerLoss {
  readonly divided: Normaliser;
  /** Whether a ratio may be one of the whole answer (`importanceSamplingLevel: sequence`). */
  readonly level: 'either' | 'token' | 'sequence';
  /** What an answer's sum over its tokens is multiplied by. */
  readonly share: 'whole' | 'perToken' | 'perMaximum';
  /** Ratios are held below 1 + epsilonHigh, and have no gradient. */
  readonly truncated?: true;
  /** The reference is a part of the reward, and not of the loss. */
  readonly penalised?: true;
}

const LOSSES = {
  dapo: { divided: 'tokens', level: 'either', share: 'whole' },
  grpo: { divided: 'sequences', level: 'either', share: 'perToken' },
  dr_grpo: { divided: 'sequences', level: 'either', share: 'perMaximum' },
  bnpo: { divided: 'tokens', level: 'either', share: 'whole' },
  cispo: { divided: 'tokens', level: 'token', share: 'whole', truncated: true },
  rloo: { divided: 'sequences', level: 'sequence', share: 'whole', penalised: true },
} as const satisfies Readonly<Record<string, AnswerLoss>>;

export type LossName = keyof typeof LOSSES;

/** Losses by TRL's names; `rloo` is its RLOOTrainer. */
export const ANSWER_LOSSES: Readonly<Record<LossName, AnswerLoss>> = LOSSES;

/** The names of all losses. */
export const LOSS_NAMES = Object.keys(ANSWER_LOSSES) as [LossName, ...LossName[]];

/** Numbers that decide the loss, as the section `grpo` has them. */
export interface LossNumbers {
  readonly lossType: LossName;
  readonly importanceSamplingLevel: 'token' | 'sequence';
  readonly epsilon: number;
  readonly epsilonHigh: number;
  readonly delta: number | undefined;
  readonly beta: number;
  readonly useBiasCorrectionKl: boolean;
  readonly maxCompletionLength: number;
}

/** What a loss is computed of; N are all places of a batch, S its answers. */
export interface Terms {
  /** Log-probabilities of the tokens [N]; anything where `answered` is 0. */
  readonly logProbs: Value;
  /** The same by the policy that wrote them; left out where it is this one. */
  readonly old: Value | undefined;
  /** The same by the reference. */
  readonly reference: Value | undefined;
  /** 1 where a token of an answer is predicted, else 0 [N]. */
  readonly answered: Value;
  /** [S] */
  readonly advantages: Value;
  /** Sums of [N] over the tokens of each answer: [S]. */
  readonly sums: (values: Value) => Value;
  /** A number of each answer [S] at its tokens: [N]. */
  readonly spread: (values: Value) => Value;
}

/** The sum of a loss, with figures. */
export interface Losses {
  readonly loss: Value;
  readonly figures: Readonly<Record<string, Ratio>>;
}

/** Above this, e^x is not a number of float32 any more, with room for what follows. */
const LARGEST_EXPONENT = 80;
const bounded = (x: Value): Value => minimum(x, LARGEST_EXPONENT);

/** Sums over answers of -min(ratio A, clipped ratio A) and beta KL, shared as the row says. */
export function answerLoss(terms: Terms, numbers: LossNumbers): Losses {
  const row = ANSWER_LOSSES[numbers.lossType];
  const { answered, reference, sums, advantages } = terms;
  const lengths = maximum(sums(answered), 1);
  const ratios = ratiosOf(terms, numbers, lengths);
  // of tokens or of answers, as the ratios are
  const gains = ratios.level === 'token' ? terms.spread(advantages) : advantages;
  const policy = policyLoss(terms, row, numbers, { ratios: ratios.values, gains });
  const kl = reference && row.penalised !== true ? divergence(terms, numbers, ratios) : undefined;
  let perAnswer = policy;
  if (ratios.level === 'token') perAnswer = sums(mul(policy, answered));
  else if (row.level === 'either') perAnswer = mul(policy, sums(answered));
  if (kl) perAnswer = add(perAnswer, mul(sums(kl), numbers.beta));
  return {
    loss: sum(shared(perAnswer, row, numbers, lengths)),
    figures: {
      ...(kl ? { kl: { sum: sum(kl), weight: sum(answered) } } : {}),
      ...clipFigures(terms, row, numbers, ratios, gains),
    },
  };
}

interface Ratios {
  readonly level: 'token' | 'sequence';
  /** [N] or [S] */
  readonly values: Value;
}

/** How much likelier tokens are than they were when they were written. */
function ratiosOf(terms: Terms, numbers: LossNumbers, lengths: Value): Ratios {
  const { logProbs, old = detach(logProbs), answered, sums } = terms;
  const logs = mul(sub(logProbs, old), answered);
  const row = ANSWER_LOSSES[numbers.lossType];
  if (row.level === 'sequence') return { level: 'sequence', values: exp(bounded(sums(logs))) };
  if (numbers.importanceSamplingLevel === 'sequence') {
    return { level: 'sequence', values: exp(bounded(div(sums(logs), lengths))) };
  }
  return { level: 'token', values: exp(bounded(logs)) };
}

function policyLoss(
  { logProbs }: Terms,
  row: AnswerLoss,
  { epsilon, epsilonHigh, delta }: LossNumbers,
  { ratios, gains }: { readonly ratios: Value; readonly gains: Value },
): Value {
  if (row.truncated) {
    return neg(mul(mul(detach(minimum(ratios, epsilonHigh)), gains), logProbs));
  }
  const clipped = minimum(maximum(ratios, 1 - epsilon), 1 + epsilonHigh);
  const free = delta === undefined ? ratios : minimum(ratios, delta);
  return neg(minimum(mul(free, gains), mul(clipped, gains)));
}

/** e^u - u - 1 of u = log reference - log policy, at the tokens of answers (Schulman's k3) [N]. */
function divergence(terms: Terms, numbers: LossNumbers, { level, values }: Ratios): Value {
  const { logProbs, reference, answered, spread } = terms;
  const u = mul(sub(reference!, logProbs), answered);
  const kl = sub(expm1(bounded(u)), u);
  const corrected = numbers.useBiasCorrectionKl
    ? mul(kl, level === 'token' ? values : spread(values))
    : kl;
  return mul(corrected, answered);
}

function shared(
  perAnswer: Value,
  { share }: AnswerLoss,
  { maxCompletionLength }: LossNumbers,
  lengths: Value,
): Value {
  switch (share) {
    case 'whole':
      return perAnswer;
    case 'perToken':
      return div(perAnswer, lengths);
    case 'perMaximum':
      return mul(perAnswer, 1 / maxCompletionLength);
  }
}

/** Shares of tokens (of answers) whose ratio is clipped, so that they teach nothing. */
function clipFigures(
  { answered }: Terms,
  row: AnswerLoss,
  { epsilon, epsilonHigh, delta }: LossNumbers,
  { level, values }: Ratios,
  gains: Value,
): Record<string, Ratio> {
  const ones = level === 'token' ? answered : cast(greater(values, -1), 'float32');
  const shareOf = (which: Value): Ratio => ({
    sum: sum(mul(cast(which, 'float32'), ones)),
    weight: sum(ones),
  });
  if (row.truncated) {
    const high = logicalAnd(greater(values, epsilonHigh), greater(gains, 0));
    return { cispo_clip_ratio: shareOf(high) };
  }
  const compared = delta === undefined ? values : minimum(values, delta);
  const low = logicalAnd(less(compared, 1 - epsilon), less(gains, 0));
  const high = logicalAnd(greater(compared, 1 + epsilonHigh), greater(gains, 0));
  return {
    'clip_ratio/low_mean': shareOf(low),
    'clip_ratio/high_mean': shareOf(high),
    'clip_ratio/region_mean': shareOf(logicalOr(low, high)),
  };
}
