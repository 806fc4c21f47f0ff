// Makes the plan of a run from the options: how many steps, and what is due at each. Throws if
// options contradict each other.
import type { Rows, Schedule, TrainingData } from '@lmflow/sdk';
import { noEvaluationSamples, settingsConflict } from '../errors.ts';
import type { TrainerOptions } from '../options.ts';
import { learningRateOf } from './learning-rate.ts';

export interface RunPlan {
  readonly options: TrainerOptions;
  readonly outputDir: string;
  readonly seed: number;
  readonly totalSteps: number;
  readonly warmupSteps: number;
  readonly stepsPerEpoch: number;
  readonly loggingSteps: number;
  readonly evalSteps: number;
  readonly saveSteps: number;
  /**
   * Figure that decides which model is best, without `eval_`; undefined where nothing asks for a
   * best model.
   */
  readonly bestMetric: string | undefined;
  readonly greaterIsBetter: boolean;
  /** Passed epochs, with fraction, after a step. */
  epochAfter(step: number): number;
  /** Learning rate of a step, numbered from 1. */
  learningRate(step: number): number;
  /** The same of a schedule over so many steps. */
  learningRateOver(steps: number): (step: number) => number;
}

export interface RunPlanRequest {
  readonly options: TrainerOptions;
  readonly outputDir: string;
  readonly seed: number;
  readonly data: Pick<TrainingData, 'stepsPerEpoch' | 'epochAfter' | 'stepsUntil'>;
  /** Whether there is anything to evaluate on. */
  readonly evaluates: boolean;
  readonly schedules: Rows<Schedule>;
}

/** Throws LMFLOW_CONFIG_CONFLICT, LMFLOW_CONFIG_SCHEDULE*, LMFLOW_NO_EVALUATION_DATA. */
export function makeRunPlan({
  options,
  outputDir,
  seed,
  data,
  evaluates,
  schedules,
}: RunPlanRequest): RunPlan {
  checkEvaluation(options, evaluates);
  const { stepsPerEpoch } = data;
  const epochs = options.numTrainEpochs;
  const totalSteps =
    options.maxSteps > 0
      ? options.maxSteps
      : (data.stepsUntil?.(epochs) ?? Math.ceil(epochs * stepsPerEpoch));
  const every = (steps: number): number =>
    steps < 1 ? Math.max(1, Math.ceil(steps * totalSteps)) : Math.round(steps);
  const warmupSteps = decideWarmup(options, schedules, totalSteps);
  const rateOver = (steps: number, warmup: number): ((step: number) => number) => {
    const rate = learningRateOf(schedules, {
      name: options.lrSchedulerType,
      kwargs: options.lrSchedulerKwargs,
      totalSteps: steps,
      warmupSteps: warmup,
      learningRate: options.learningRate,
    });
    return (step) => rate(step - 1);
  };
  const bestMetric =
    options.evalStrategy !== 'no' && wantsBest(options)
      ? (options.metricForBestModel ?? 'loss').replace(/^eval_/, '')
      : undefined;
  return {
    options,
    outputDir,
    seed,
    totalSteps,
    warmupSteps,
    stepsPerEpoch,
    epochAfter: (step) => data.epochAfter?.(step) ?? step / stepsPerEpoch,
    bestMetric,
    loggingSteps: every(options.loggingSteps),
    evalSteps: every(options.evalSteps ?? options.loggingSteps),
    saveSteps: every(options.saveSteps),
    greaterIsBetter:
      options.greaterIsBetter ?? !/(loss|perplexity|bits_per_byte)$/.test(bestMetric ?? 'loss'),
    learningRate: rateOver(totalSteps, warmupSteps),
    learningRateOver: (steps) => rateOver(steps, decideWarmup(options, schedules, steps)),
  };
}

// As in transformers, warmupRatio 1 is the whole run and warmupSteps 1 is one step.
function decideWarmup(
  options: TrainerOptions,
  schedules: Rows<Schedule>,
  totalSteps: number,
): number {
  const { warmupRatio, warmupSteps, lrSchedulerType } = options;
  if (schedules.get(lrSchedulerType)?.warmsUp === false) {
    // Steps below 1 are the presets'.
    if (warmupSteps >= 1) throw warmupConflict(`warmupSteps is ${warmupSteps}`, lrSchedulerType);
    if (warmupRatio) throw warmupConflict(`warmupRatio is ${warmupRatio}`, lrSchedulerType);
    return 0;
  }
  if (warmupRatio !== undefined) return Math.ceil(warmupRatio * totalSteps);
  return warmupSteps >= 1 ? Math.round(warmupSteps) : Math.ceil(warmupSteps * totalSteps);
}

function warmupConflict(wanted: string, schedule: string): Error {
  return settingsConflict(
    `${wanted}, and lrSchedulerType ${schedule} has no warmup`,
    'Take constant_with_warmup, or leave the warmup out.',
  );
}

function wantsBest({
  loadBestModelAtEnd,
  saveStrategy,
  earlyStoppingPatience,
  metricForBestModel,
}: TrainerOptions): boolean {
  return (
    loadBestModelAtEnd ||
    saveStrategy === 'best' ||
    earlyStoppingPatience !== undefined ||
    metricForBestModel !== undefined
  );
}

function checkEvaluation(options: TrainerOptions, evaluates: boolean): void {
  const { evalStrategy } = options;
  if (evalStrategy !== 'no' && !evaluates) {
    throw noEvaluationSamples(`evalStrategy ${evalStrategy}`);
  }
  if (options.evalOnStart && !evaluates) throw noEvaluationSamples('evalOnStart');
  const needing = [
    options.loadBestModelAtEnd && 'loadBestModelAtEnd',
    options.earlyStoppingPatience !== undefined && 'earlyStoppingPatience',
    options.saveStrategy === 'best' && 'saveStrategy best',
  ].find((name) => name !== false);
  if (needing && evalStrategy === 'no') {
    throw settingsConflict(
      `${needing} needs evaluations on the way, and evalStrategy is no`,
      'Set evalStrategy to steps or epoch.',
    );
  }
}

/** What is due after a step. */
export interface Due {
  readonly log: boolean;
  readonly evaluate: boolean;
  readonly save: boolean;
}

export function dueAt(step: number, plan: RunPlan): Due {
  const { options, totalSteps } = plan;
  const last = step === totalSteps;
  const epoch = plan.epochAfter(step);
  const epochEnds = Number.isInteger(epoch) || last;
  const on = (strategy: string, every: number): boolean =>
    strategy === 'steps' ? step % every === 0 : strategy === 'epoch' && epochEnds;
  const waited =
    options.evalStrategy === 'epoch' ? epoch >= options.evalDelay : step >= options.evalDelay;
  return {
    log:
      on(options.loggingStrategy, plan.loggingSteps) ||
      (last && options.loggingStrategy !== 'no') ||
      (step === 1 && options.loggingFirstStep),
    evaluate: waited && on(options.evalStrategy, plan.evalSteps),
    save: on(options.saveStrategy, plan.saveSteps) || (last && options.saveStrategy === 'steps'),
  };
}
