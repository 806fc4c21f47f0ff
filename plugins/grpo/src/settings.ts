// What the section `grpo` comes to: the defaults of each loss. Throws for what would have no effect.
import type { Scaling } from './advantages.ts';
import { withoutEffect } from './errors.ts';
import { ANSWER_LOSSES, LOSS_NAMES, type LossName, type LossNumbers } from './losses.ts';
import type { GrpoOptions } from './options.ts';

/** How rewards become advantages. */
export interface AdvantageSettings {
  /** Against the mean of the group, or of the others in it. */
  readonly baseline: 'group' | 'others';
  readonly scaling: Scaling;
  /** Each reward is compared alone, and then they are added. */
  readonly separate: boolean;
  /** Over the answers of a round; of `others`. */
  readonly normalise: boolean;
}

/** The section with its defaults. */
export interface GrpoSettings {
  readonly numbers: LossNumbers;
  readonly advantages: AdvantageSettings;
  readonly numGenerations: number;
}

const RLOO = { numGenerations: 2, beta: 0.05 };
const OTHERS = { numGenerations: 8, beta: 0 };
/** As ScaleRL has it, and TRL advises. */
const CISPO_CEILING = 5;

/** The settings of a run. */
export function grpoSettings(options: GrpoOptions): GrpoSettings {
  const { lossType } = options;
  const row = ANSWER_LOSSES[lossType];
  const rloo = lossType === 'rloo';
  const defaults = rloo ? RLOO : OTHERS;
  const beta = options.beta ?? defaults.beta;
  checkEffects(options, beta);
  const epsilon = options.epsilon ?? 0.2;
  return {
    numGenerations: options.numGenerations ?? defaults.numGenerations,
    numbers: {
      lossType,
      importanceSamplingLevel: rloo ? 'sequence' : (options.importanceSamplingLevel ?? 'token'),
      epsilon,
      epsilonHigh: options.epsilonHigh ?? (row.truncated ? CISPO_CEILING : epsilon),
      delta: options.delta,
      beta,
      useBiasCorrectionKl: options.useBiasCorrectionKl ?? true,
      maxCompletionLength: options.maxCompletionLength,
    },
    advantages: {
      baseline: rloo ? 'others' : 'group',
      scaling: options.scaleRewards ?? (lossType === 'dr_grpo' ? 'none' : 'group'),
      separate: options.multiObjectiveAggregation === 'normalize_then_sum',
      normalise: options.normalizeAdvantages ?? false,
    },
  };
}

/** Options that some losses do not read, and which those are. */
const UNREAD: readonly (readonly [keyof GrpoOptions, readonly LossName[]])[] = [
  ['epsilon', ['cispo']],
  ['delta', ['cispo', 'rloo']],
  ['importanceSamplingLevel', ['cispo', 'rloo']],
  ['useBiasCorrectionKl', ['rloo']],
  ['scaleRewards', ['rloo']],
  ['multiObjectiveAggregation', ['rloo']],
  ['normalizeAdvantages', LOSS_NAMES.filter((name) => name !== 'rloo')],
];

function checkEffects(options: GrpoOptions, beta: number): void {
  const { lossType } = options;
  for (const [key, losses] of UNREAD) {
    if (options[key] !== undefined && losses.includes(lossType)) {
      throw withoutEffect(key, `${lossType} does not read it`);
    }
  }
  if (options.useBiasCorrectionKl !== undefined && beta === 0) {
    throw withoutEffect('useBiasCorrectionKl', 'beta is 0, so that there is no divergence');
  }
  if (
    options.scaleRewards !== undefined &&
    options.multiObjectiveAggregation === 'normalize_then_sum'
  ) {
    throw withoutEffect('scaleRewards', 'normalize_then_sum has its own');
  }
}
