// The arithmetic of a run: prompts of a step, steps of a round, passes over it, and which prompts a
// round takes.
import { randomStream, type Config } from '@lmflow/sdk';
import { roundUneven, tooFewPrompts } from './errors.ts';
import type { GrpoOptions } from './options.ts';

/** How many of what. A round is drawn at once, and trained before the next. */
export interface RoundShape {
  /** Prompts of a micro-batch, and micro-batches of a step. */
  readonly prompts: number;
  readonly microBatches: number;
  readonly numGenerations: number;
  /** Steps that see each answer of a round once. */
  readonly steps: number;
  /** Passes over a round. */
  readonly passes: number;
}

/** Where a step is. */
export interface StepPlace {
  readonly round: number;
  /** Its place in a pass over the round. */
  readonly step: number;
  /** Whether it is the first of the round. */
  readonly first: boolean;
}

/** The shape that the configuration asks for. Throws LMFLOW_GRPO_ROUND. */
export function roundShape(
  config: Config,
  options: GrpoOptions,
  numGenerations: number,
): RoundShape {
  const accumulation = config['gradientAccumulationSteps'] as number;
  const microBatches = options.stepsPerGeneration ?? accumulation;
  if (microBatches % accumulation !== 0) throw roundUneven(microBatches, accumulation);
  return {
    prompts: config['perDeviceTrainBatchSize'] as number,
    microBatches: accumulation,
    numGenerations,
    steps: microBatches / accumulation,
    passes: options.numIterations,
  };
}

/** Prompts of a round. */
export const promptsOf = ({ prompts, microBatches, steps }: RoundShape): number =>
  prompts * microBatches * steps;

/** Steps of a round, all passes together. */
export const stepsOf = ({ steps, passes }: RoundShape): number => steps * passes;

/** Whole rounds in an epoch. Throws LMFLOW_GRPO_PROMPTS where there is none. */
export function roundsPerEpoch(prompts: number, shape: RoundShape): number {
  const rounds = Math.floor(prompts / promptsOf(shape));
  if (rounds === 0) throw tooFewPrompts(prompts, promptsOf(shape));
  return rounds;
}

/** Where the step after so many is. */
export function placeAfter(done: number, shape: RoundShape): StepPlace {
  const within = done % stepsOf(shape);
  return {
    round: Math.floor(done / stepsOf(shape)),
    step: within % shape.steps,
    first: within === 0,
  };
}

/** Indices of the prompts of a round; each epoch has another order where they are shuffled. */
export function promptIndices(
  round: number,
  prompts: number,
  shape: RoundShape,
  { seed, shuffle }: { readonly seed: number; readonly shuffle: boolean },
): number[] {
  const inEpoch = roundsPerEpoch(prompts, shape);
  const epoch = Math.floor(round / inEpoch);
  const order = shuffle
    ? [...randomStream(seed, 'prompts', epoch).permutation(prompts)]
    : Array.from({ length: prompts }, (_, index) => index);
  const first = (round % inEpoch) * promptsOf(shape);
  return order.slice(first, first + promptsOf(shape));
}

/** In words: `8 prompts x 8 answers, 2 passes of 1 step`. */
export function shownShape(shape: RoundShape): string {
  const some = (count: number, what: string, plural = `${what}s`): string =>
    `${count} ${count === 1 ? what : plural}`;
  return (
    `${some(promptsOf(shape), 'prompt')} x ${shape.numGenerations} answers, ` +
    `${some(shape.passes, 'pass', 'passes')} of ${some(shape.steps, 'step')}`
  );
}
