// The training loop: every method's steps, from the first (or the one after a checkpoint's) to the
// last.
import type { Batch, Evaluation, FitRequest, Hooks, Logger, Step } from '@lmflow/sdk';
import { limitCheckpoints, saveCheckpoint } from '../checkpoint/checkpoints.ts';
import { collate, type CollateOptions } from '../data/collate.ts';
import { lossNotFinite, metricUnknown } from '../errors.ts';
import { evaluateSamples, type EvaluationResult } from './evaluation.ts';
import { clipFactor, GradientSum } from './gradient-sum.ts';
import type { GradientNorm } from '../update/gradient-norm.ts';
import type { DataOrder } from '../data/sampler.ts';
import type { Programs } from './programs.ts';
import type { Reporter } from '../report/reporter.ts';
import type { ResumeFacts } from '../checkpoint/resume.ts';
import { dueAt, type RunSettings } from './run-plan.ts';
import type { ProgramMode } from './tracing.ts';
import type { RunState } from './run-state.ts';
import type { Updater } from '../update/updater.ts';

/** Everything a run is made of. */
export interface Run {
  readonly request: FitRequest;
  readonly settings: RunSettings;
  readonly order: DataOrder;
  readonly collating: CollateOptions;
  readonly facts: ResumeFacts;
  readonly hooks: Hooks;
  readonly log: Logger;
  readonly programs: Programs;
  readonly norm: GradientNorm;
  readonly updater: Updater;
  readonly state: RunState;
  readonly reporter: Reporter;
  /** For the estimate of floating point operations. */
  readonly totalParameters: number;
  /** The last checkpoint written or resumed from. */
  checkpoint: string | undefined;
  /** Its step; 0 where there is none. */
  savedStep: number;
  /** The evaluation of the parameters as they are, if there was one. */
  evaluated: EvaluationResult | undefined;
}

/**
 * `finished` after the last step, `stopped` by a tap or early stopping, `interrupted` by the signal
 * (a checkpoint is saved then).
 */
export type LoopEnd = 'finished' | 'stopped' | 'interrupted';

/**
 * Trains until the end. Throws LMFLOW_LOSS_NOT_FINITE before the update of the step where it
 * happens.
 */
export async function trainingLoop(run: Run): Promise<LoopEnd> {
  const {
    request: { model, signal },
    settings,
    hooks,
    programs,
    updater,
    state,
    reporter,
  } = run;
  const { totalSteps, options } = settings;
  const keepsBest = options.loadBestModelAtEnd || options.saveStrategy === 'best';
  const patienceIsOver = (): boolean =>
    state.patience >= (options.earlyStoppingPatience ?? Infinity);
  if (state.evaluationDue || (options.evalOnStart && state.globalStep === 0)) {
    if ((await evaluateRun(run)) && keepsBest) await saveRun(run, patienceIsOver());
  }
  if (patienceIsOver()) return 'stopped';

  for (let number = state.globalStep + 1; number <= totalSteps; number++) {
    // lets Ctrl-C through: a run of the engine may hold the event loop
    await new Promise(setImmediate);
    if (signal?.aborted) {
      if (run.savedStep < state.globalStep) await saveRun(run, false);
      return 'interrupted';
    }
    const started = performance.now();
    const step = makeStep(run, number);
    await hooks.onStepStart.promise(step);

    const batches: Batch[] = [];
    for (const collated of step.batches) batches.push(await hooks.onBatch.promise(collated, step));
    if (updater.estimatesAt(number)) await estimateCurvature(run, number, batches);
    const sum = await summed(run, 'training', number, batches);
    const weight = sum.weight || 1; // a step without a trained token has loss and gradient 0
    step.loss = sum.loss / weight;
    step.gradientNorm = (await run.norm.of(sum.gradients.values())) / weight;
    checkFinite(run, step);
    step.learningRate = settings.learningRate(number);
    const gradientScale = clipFactor(step.gradientNorm, options.maxGradNorm) / weight;
    await updater.apply({
      parameters: model.parameters.values(),
      gradients: sum.gradients,
      gradientScale,
      learningRate: step.learningRate,
    });
    programs.recycle(sum.gradients);
    programs.parametersChanged();

    step.seconds = (performance.now() - started) / 1000;
    const tokens = batches.reduce((total, batch) => total + batch.tokens, 0);
    record(run, step, sum, tokens);
    await hooks.onStep.promise(step);
    const due = dueAt(number, settings);
    await reporter.step(step, tokens, due.log || step.control.log);
    const isBest = due.evaluate || step.control.evaluate ? await evaluateRun(run) : false;
    const stopping = step.control.stop || patienceIsOver();
    if (due.save || step.control.save || (isBest && keepsBest)) {
      await saveRun(run, stopping || number === totalSteps);
    }
    if (stopping) return 'stopped';
  }
  return 'finished';
}

/** Loss and gradients of a step's micro-batches, summed. */
async function summed(
  { request: { objective }, programs }: Run,
  mode: ProgramMode,
  step: number,
  batches: readonly Batch[],
): Promise<GradientSum> {
  const sum = new GradientSum();
  for (const [micro, batch] of batches.entries()) {
    programs.recycle(
      sum.add(await programs.run(mode, { batch, step, micro }), objective.weight(batch)),
    );
  }
  return sum;
}

/**
 * Lets the optimizer estimate the curvature from the step's batches with labels drawn from the
 * model; clipped as the gradient is.
 */
async function estimateCurvature(run: Run, step: number, batches: readonly Batch[]): Promise<void> {
  const { gradients, weight } = await summed(run, 'sampled', step, batches);
  if (weight > 0) {
    const gradientNorm = (await run.norm.of(gradients.values())) / weight;
    checkFinite(run, { number: step, loss: 0, gradientNorm });
    const gradientScale = clipFactor(gradientNorm, run.settings.options.maxGradNorm) / weight;
    await run.updater.estimate({
      parameters: run.request.model.parameters.values(),
      gradients,
      weight,
      gradientScale,
    });
  }
  run.programs.recycle(gradients);
}

function makeStep(
  { request: { model, train }, settings: { totalSteps }, order, collating, programs }: Run,
  number: number,
): Step {
  const batches: Batch[] = order.microBatches(number).map((indices) =>
    collate(
      indices.map((index) => train.get(index)),
      collating,
    ),
  );
  const control = { stop: false, save: false, evaluate: false, log: false };
  const gradients: Step['gradients'] = (batch) => programs.aside({ batch, step: number, micro: 0 });
  return {
    number,
    totalSteps,
    epoch: order.epochAfter(number),
    model,
    control,
    mode: 'training',
    batches,
    gradients,
  };
}

function checkFinite(
  { checkpoint }: Run,
  { number, loss, gradientNorm }: Pick<Step, 'number' | 'loss' | 'gradientNorm'>,
): void {
  if (!Number.isFinite(loss)) throw lossNotFinite('loss', loss!, number, checkpoint);
  if (!Number.isFinite(gradientNorm)) {
    throw lossNotFinite('gradient norm', gradientNorm!, number, checkpoint);
  }
}

function record(run: Run, step: Step, sum: GradientSum, tokens: number): void {
  const { state, totalParameters, programs, log } = run;
  state.globalStep = step.number;
  state.epoch = step.epoch;
  state.seconds += step.seconds!;
  state.tokensSeen += tokens;
  state.floatingPointOperations += 6 * tokens * totalParameters;
  state.lossTotal += step.loss!;
  state.window.steps++;
  state.window.loss += step.loss!;
  for (const [name, total] of Object.entries(sum.metrics)) {
    state.window.metrics[name] = (state.window.metrics[name] ?? 0) + total / (sum.weight || 1);
  }
  run.evaluated = undefined;
  if (sum.weight === 0) log.warn(`step ${step.number} has no trained token`);
  if (step.number === 1 && programs.unused().length > 0) {
    log.warn(
      `the loss does not depend on these parameters, so they stay as they are: ${programs.unused().join(', ')}`,
    );
  }
}

/**
 * Evaluates the parameters as they are and compares with the best so far; gives whether they are
 * better. Untrained ones (evalOnStart) do not count.
 */
export async function evaluateRun(run: Run): Promise<boolean> {
  const {
    request: { model, evaluation: samples, objective, signal },
    settings,
    hooks,
    log,
    programs,
    updater,
    state,
    reporter,
    collating,
  } = run;
  if (!samples || samples.length === 0) return false;
  state.evaluationDue = true; // where it is interrupted, the resumed run evaluates first
  const result = await updater.withEvaluationWeights(
    model.parameters.values(),
    () => {
      programs.parametersChanged();
    },
    () =>
      evaluateSamples({
        programs,
        hooks,
        model,
        samples,
        objective,
        collating,
        signal,
        batchSize: settings.options.perDeviceEvalBatchSize,
        step: { number: state.globalStep, totalSteps: settings.totalSteps, epoch: state.epoch },
        progress: (done) => {
          log.progress(`evaluating  ${done}/${samples.length}`);
        },
      }),
  );
  if (!result) return false;
  state.evaluationDue = false;
  const evaluation: Evaluation = {
    step: state.globalStep,
    epoch: state.epoch,
    metrics: result.metrics,
    seconds: result.seconds,
  };
  await hooks.onEvaluate.promise(evaluation);
  run.evaluated = result;
  const isBest = state.globalStep > 0 && compareWithBest(run, result.metrics);
  await reporter.evaluation(result, samples.length);
  return isBest;
}

function compareWithBest(
  { settings, state }: Run,
  metrics: Readonly<Record<string, number>>,
): boolean {
  const { bestMetric, greaterIsBetter, options } = settings;
  if (bestMetric === undefined) return false;
  const value = metrics[bestMetric];
  if (value === undefined) throw metricUnknown(bestMetric, Object.keys(metrics));
  const best = state.bestMetric;
  const better =
    best === undefined ? !Number.isNaN(value) : greaterIsBetter ? value > best : value < best;
  state.patience =
    better && (best === undefined || Math.abs(value - best) > options.earlyStoppingThreshold)
      ? 0
      : state.patience + 1;
  if (better) [state.bestMetric, state.bestGlobalStep] = [value, state.globalStep];
  return better;
}

async function saveRun(run: Run, stopping: boolean): Promise<void> {
  const {
    request: { model },
    settings,
    hooks,
    log,
    programs,
    updater,
    state,
    facts,
  } = run;
  run.checkpoint = await updater.withEvaluationWeights(
    model.parameters.values(),
    () => {
      programs.parametersChanged();
    },
    () => saveCheckpoint({ settings, hooks, model, updater, state, facts, stopping }),
  );
  run.savedStep = state.globalStep;
  log.event(
    'checkpoint',
    { step: state.globalStep, folder: run.checkpoint },
    `saved ${run.checkpoint}`,
  );
  const removed = await limitCheckpoints(settings.outputDir, settings.options.saveTotalLimit, [
    run.checkpoint,
    state.bestModelCheckpoint,
  ]);
  if (removed.length > 0) log.debug(`removed ${removed.join(', ')} (saveTotalLimit)`);
}
