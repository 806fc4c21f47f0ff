// The losses of pairs, one row each: functions of the terms that give the loss of every pair. Names
// are TRL's where it has the loss. The formulas with their sources stand in docs/notes/dpo.md.
import {
  add,
  div,
  exp,
  log1mexp,
  logSigmoid,
  maximum,
  mul,
  neg,
  sigmoid,
  sub,
  type Value,
} from '@lmflow/sdk/graph';
import type { Both, LossNumbers, Terms } from './terms.ts';

/** A loss of pairs. */
export interface PairLoss {
  /** Whether it compares with the reference; others are functions of the policy alone. */
  readonly reference: boolean;
  /** Whether `fDivergenceType` changes it. */
  readonly divergence?: true;
  /** Numbers of the section that it reads beside `beta`. */
  readonly reads?: readonly (keyof LossNumbers)[];
  /** Whether it reads `beta`; true where left out. */
  readonly beta?: false;
  /** Whether it needs the column `margin`. */
  readonly margin?: true;
  /** Loss of each pair [pairs]. */
  build(terms: Terms): Value;
}

/** Squares of differences. */
const squared = (x: Value): Value => mul(x, x);
const perToken = ({ chosen, rejected }: Both, lengths: Both): Value =>
  sub(div(chosen, lengths.chosen), div(rejected, lengths.rejected));
const rewards = ({ ratios, numbers }: Terms): Both => ({
  chosen: mul(ratios.chosen, numbers.beta),
  rejected: mul(ratios.rejected, numbers.beta),
});

/** -(1 - e) log sigmoid(x) - e log sigmoid(-x): labels that are wrong with probability e. */
function smoothed(x: Value, smoothing: number): Value {
  const right = neg(logSigmoid(x));
  if (smoothing === 0) return right;
  return add(mul(right, 1 - smoothing), mul(neg(logSigmoid(neg(x))), smoothing));
}

/** KL of the model's preference sigmoid(x) from one with the given log-probabilities. */
function preferenceKl(x: Value, right: Value | number, wrong: Value | number): Value {
  const [up, down] = [sigmoid(x), sigmoid(neg(x))];
  return add(mul(up, sub(logSigmoid(x), right)), mul(down, sub(logSigmoid(neg(x)), wrong)));
}

/** log odds of the answer's probability per token. */
const logOdds = (average: Value): Value => sub(average, log1mexp(average));

export const PAIR_LOSSES = {
  sigmoid: {
    reference: true,
    divergence: true,
    reads: ['labelSmoothing'],
    build: ({ logits, numbers }) => smoothed(logits, numbers.labelSmoothing),
  },
  robust: {
    reference: true,
    divergence: true,
    reads: ['labelSmoothing'],
    build: ({ logits, numbers: { labelSmoothing: e } }) =>
      mul(sub(mul(logSigmoid(neg(logits)), e), mul(logSigmoid(logits), 1 - e)), 1 / (1 - 2 * e)),
  },
  hinge: {
    reference: true,
    divergence: true,
    build: ({ logits }) => maximum(sub(1, logits), 0),
  },
  ipo: {
    reference: true,
    divergence: true,
    build: ({ scores, lengths, numbers: { beta } }) =>
      squared(sub(perToken(scores, lengths), 1 / (2 * beta))),
  },
  ipo_sum: {
    reference: true,
    divergence: true,
    build: ({ scores, numbers: { beta } }) =>
      squared(sub(sub(scores.chosen, scores.rejected), 1 / (2 * beta))),
  },
  sigmoid_norm: {
    reference: true,
    divergence: true,
    build: ({ scores, lengths, numbers: { beta } }) =>
      neg(logSigmoid(mul(perToken(scores, lengths), beta))),
  },
  exo_pair: {
    reference: true,
    divergence: true,
    reads: ['labelSmoothing'],
    build: ({ logits, numbers: { labelSmoothing: e } }) =>
      preferenceKl(logits, Math.log1p(-e), Math.log(e)),
  },
  rev_kl: {
    reference: true,
    divergence: true,
    margin: true,
    build: ({ logits, margin }) =>
      preferenceKl(logits, logSigmoid(margin!), logSigmoid(neg(margin!))),
  },
  nca_pair: {
    reference: true,
    build: (terms) => {
      const { chosen, rejected } = rewards(terms);
      const others = add(logSigmoid(neg(chosen)), logSigmoid(neg(rejected)));
      return neg(add(logSigmoid(chosen), mul(others, 0.5)));
    },
  },
  bco_pair: {
    reference: true,
    build: (terms) => {
      const { chosen, rejected } = rewards(terms);
      return neg(add(logSigmoid(chosen), logSigmoid(neg(rejected))));
    },
  },
  sppo_hard: {
    reference: true,
    build: ({ ratios: { chosen, rejected }, numbers: { beta } }) =>
      add(squared(sub(chosen, 0.5 / beta)), squared(add(rejected, 0.5 / beta))),
  },
  apo_zero: {
    reference: true,
    build: (terms) => {
      const { chosen, rejected } = rewards(terms);
      return add(sigmoid(neg(chosen)), sigmoid(rejected));
    },
  },
  apo_down: {
    reference: true,
    build: (terms) => {
      const { chosen, rejected } = rewards(terms);
      return add(sigmoid(chosen), sigmoid(sub(rejected, chosen)));
    },
  },
  discopop: {
    reference: true,
    divergence: true,
    reads: ['discopopTau'],
    build: ({ logits, numbers: { discopopTau } }) => {
      const blend = sigmoid(mul(logits, 1 / discopopTau));
      return add(mul(neg(logSigmoid(logits)), sub(1, blend)), mul(exp(neg(logits)), blend));
    },
  },
  simpo: {
    reference: false,
    reads: ['simpoGamma'],
    build: ({ averages: { chosen, rejected }, numbers: { beta, simpoGamma } }) =>
      neg(logSigmoid(sub(mul(sub(chosen, rejected), beta), simpoGamma))),
  },
  orpo: {
    reference: false,
    build: ({ averages: { chosen, rejected }, numbers: { beta } }) =>
      sub(neg(chosen), mul(logSigmoid(sub(logOdds(chosen), logOdds(rejected))), beta)),
  },
} as const satisfies Readonly<Record<string, PairLoss>>;

/** A loss of pairs by name. */
export type PairLossName = keyof typeof PAIR_LOSSES;

/** Cross-entropy of the chosen answer, a mean over tokens instead of pairs: objective.ts has it. */
export const SFT = 'sft';

/** Every loss that `lossType` may name. */
export type LossName = PairLossName | typeof SFT;

export const LOSS_NAMES: readonly LossName[] = [
  ...(Object.keys(PAIR_LOSSES) as PairLossName[]),
  SFT,
];

/** The row of a loss; undefined for sft. */
export function pairLoss(name: LossName): PairLoss | undefined {
  return name === SFT ? undefined : PAIR_LOSSES[name];
}
