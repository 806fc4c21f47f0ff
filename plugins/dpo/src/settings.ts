// What the section `dpo` comes to: the losses with their weights and numbers. Throws for what would
// have no effect, or no value.
import * as errors from './errors.ts';
import { pairLoss, SFT, type LossName, type PairLoss } from './losses.ts';
import type { DpoOptions } from './options.ts';
import type { LossNumbers } from './terms.ts';

/** A loss of pairs in the sum. */
export interface WeightedLoss {
  readonly name: LossName;
  readonly loss: PairLoss;
  readonly weight: number;
}

/** What is minimised. */
export interface LossSettings {
  readonly losses: readonly WeightedLoss[];
  /** Weight of the cross-entropy of chosen answers; 0 for none. */
  readonly sft: number;
  readonly numbers: LossNumbers;
}

/** The numbers where they are not given. */
export const DEFAULT_NUMBERS: LossNumbers = {
  beta: 0.1,
  labelSmoothing: 0,
  fDivergenceType: 'reverse_kl',
  fAlphaDivergenceCoef: 0.5,
  discopopTau: 0.05,
  simpoGamma: 0.5,
};

/** The losses that the section asks for. */
export function lossSettings(options: DpoOptions): LossSettings {
  const { losses, sft } = weighted(options);
  checkNumbers(options, losses);
  const numbers: LossNumbers = {
    beta: options.beta ?? DEFAULT_NUMBERS.beta,
    labelSmoothing: options.labelSmoothing ?? DEFAULT_NUMBERS.labelSmoothing,
    fDivergenceType: options.fDivergenceType,
    fAlphaDivergenceCoef: options.fAlphaDivergenceCoef ?? DEFAULT_NUMBERS.fAlphaDivergenceCoef,
    discopopTau: options.discopopTau ?? DEFAULT_NUMBERS.discopopTau,
    simpoGamma: options.simpoGamma ?? DEFAULT_NUMBERS.simpoGamma,
  };
  return { losses, sft, numbers };
}

function weighted(options: DpoOptions): Pick<LossSettings, 'losses' | 'sft'> {
  const { lossType, lossWeights, rpoAlpha } = options;
  const names: readonly LossName[] = Array.isArray(lossType) ? lossType : [lossType];
  const weights = lossWeights ?? names.map(() => 1);
  if (weights.length !== names.length) throw errors.weightsUnequal(names.length, weights.length);
  const all = names.map((name, index) => ({ name, weight: weights[index]! }));
  if (rpoAlpha !== undefined) all.push({ name: SFT, weight: rpoAlpha });
  const twice = all.find(({ name }, index) => all.findIndex((one) => one.name === name) < index);
  if (twice) throw errors.lossTwice(twice.name);
  const losses = all.flatMap(({ name, weight }) => {
    const loss = pairLoss(name);
    return loss ? [{ name, loss, weight }] : [];
  });
  if (losses.length === 0) throw errors.noPairLoss();
  return { losses, sft: all.find(({ name }) => name === SFT)?.weight ?? 0 };
}

/** Throws for numbers that none of the losses reads. */
function checkNumbers(options: DpoOptions, losses: readonly WeightedLoss[]): void {
  const named = losses.map(({ name }) => name).join(', ');
  for (const key of ['labelSmoothing', 'discopopTau', 'simpoGamma'] as const) {
    if (options[key] !== undefined && !losses.some(({ loss }) => loss.reads?.includes(key))) {
      throw errors.withoutEffect(key, `${named} does not read it`);
    }
  }
  const { fDivergenceType, fAlphaDivergenceCoef, labelSmoothing = 0 } = options;
  const unmoved = losses.find(({ loss }) => loss.divergence !== true);
  if (fDivergenceType !== 'reverse_kl' && unmoved) {
    throw errors.withoutEffect('fDivergenceType', `${unmoved.name} is defined without it`);
  }
  if (fAlphaDivergenceCoef !== undefined && fDivergenceType !== 'alpha_divergence') {
    throw errors.withoutEffect('fAlphaDivergenceCoef', 'fDivergenceType is no alpha_divergence');
  }
  if (losses.some(({ name }) => name === 'exo_pair') && labelSmoothing === 0) {
    throw errors.smoothingMissing();
  }
  const comparing = losses.some(({ loss }) => loss.reference);
  if (options.referenceFree && !comparing) {
    throw errors.withoutEffect('referenceFree', `${named} has no reference`);
  }
  if (options.precomputeRefLogProbs === true && (!comparing || options.referenceFree)) {
    throw errors.withoutEffect('precomputeRefLogProbs', 'there is no reference');
  }
  if (options.marginScale !== undefined && !losses.some(({ loss }) => loss.margin)) {
    throw errors.withoutEffect('marginScale', 'only rev_kl reads margins');
  }
}
