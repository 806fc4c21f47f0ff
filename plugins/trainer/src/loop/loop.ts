// One optimizer step of any method: batches, gradients, update, and then logs, evaluation and
// checkpoint as due. trainer.ts calls it with the samples of each step.
import type { Batch, MicroBatch, Step } from '@lmflow/sdk';
import { collate } from '../data/collate.ts';
import { lossNotFinite, parametersUnreached } from '../errors.ts';
import { figuresOf } from './figures.ts';
import { clipFactor, GradientSum } from './gradient-sum.ts';
import type { Run } from './run.ts';
import { evaluateRun, isOutOfPatience, keepsBest } from './run-evaluation.ts';
import { dueAt } from './run-plan.ts';
import { saveRun } from './run-saving.ts';
import type { ProgramMode } from './tracing.ts';

/**
 * Runs one step; resolves to undefined if a signal ends the run instead. Throws
 * LMFLOW_LOSS_NOT_FINITE and LMFLOW_PARAMETERS_UNREACHED before the update.
 */
export async function trainingStep(
  run: Run,
  microBatches: readonly MicroBatch[],
): Promise<Step | undefined> {
  const { hooks, programs, updater, plan } = run;
  // lets signals in: a run of the engine may block the event loop
  await new Promise(setImmediate);
  if (run.request.signal?.aborted) return interrupt(run);
  const started = performance.now();
  const step = beginStep(run, microBatches);
  await hooks.onStepStart.promise(step);

  const batches: Batch[] = [];
  for (const collated of step.batches) batches.push(await hooks.onBatch.promise(collated, step));
  if (updater.estimatesAt(step.number)) await estimateCurvature(run, step.number, batches);
  const sum = await sumGradients(run, 'training', step.number, batches);
  const unreached = programs.unreached();
  if (unreached.length > 0) throw parametersUnreached(unreached, step.number);
  const weight = sum.weight || 1; // a step without a trained token has loss and gradient 0
  step.loss = sum.loss / weight;
  step.gradientNorm = (await run.norm.of(sum.gradients.values())) / weight;
  checkFinite(run, step);
  const { cycle } = run.state;
  step.learningRate = cycle
    ? plan.learningRateOver(cycle.steps)(step.number - cycle.start)
    : plan.learningRate(step.number);
  await updater.apply({
    parameters: step.model.parameters.values(),
    gradients: sum.gradients,
    gradientScale: clipFactor(step.gradientNorm, plan.options.maxGradNorm) / weight,
    learningRate: step.learningRate,
  });
  programs.updated(sum.gradients);

  step.seconds = (performance.now() - started) / 1000;
  const tokens = batches.reduce((total, batch) => total + batch.tokens, 0);
  record(run, step, sum, tokens);
  await hooks.onStep.promise(step);
  await endStep(run, step, tokens);
  return step;
}

async function interrupt(run: Run): Promise<undefined> {
  if (run.savedStep < run.state.globalStep) await saveRun(run, false);
  run.end = 'interrupted';
}

function beginStep(
  { request: { model }, plan, state, collating, programs }: Run,
  microBatches: readonly MicroBatch[],
): Step {
  const number = state.globalStep + 1;
  return {
    number,
    totalSteps: plan.totalSteps,
    epoch: plan.epochAfter(number),
    model,
    control: { stop: false, save: false, evaluate: false, log: false },
    figures: figuresOf(() => state.window.figures),
    mode: 'training',
    batches: microBatches.map((samples) => collate(samples, collating)),
    gradients: (batch) => programs.aside({ batch, step: number, micro: 0 }),
  };
}

/** Loss and gradients of a step's micro-batches, summed. */
async function sumGradients(
  { request: { objective }, programs }: Run,
  mode: ProgramMode,
  step: number,
  batches: readonly Batch[],
): Promise<GradientSum> {
  const sum = new GradientSum();
  for (const [micro, batch] of batches.entries()) {
    const result = await programs.run(mode, { batch, step, micro });
    programs.recycle(sum.add(result, objective.weight(batch)));
  }
  return sum;
}

/**
 * Updates the optimizer's estimate of the curvature from the step's batches with labels drawn from
 * the model; clips like the gradient.
 */
async function estimateCurvature(run: Run, step: number, batches: readonly Batch[]): Promise<void> {
  const { gradients, weight } = await sumGradients(run, 'sampled', step, batches);
  if (weight > 0) {
    const gradientNorm = (await run.norm.of(gradients.values())) / weight;
    checkFinite(run, { number: step, loss: 0, gradientNorm });
    await run.updater.estimate({
      parameters: run.request.model.parameters.values(),
      gradients,
      weight,
      gradientScale: clipFactor(gradientNorm, run.plan.options.maxGradNorm) / weight,
    });
  }
  run.programs.recycle(gradients);
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

/** Counts the step. */
function record(run: Run, step: Step, sum: GradientSum, tokens: number): void {
  const { state, forecast, log } = run;
  state.globalStep = step.number;
  state.epoch = step.epoch;
  state.seconds += step.seconds!;
  state.tokensSeen += tokens;
  state.floatingPointOperations += 6 * tokens * forecast.totalParameters;
  state.lossTotal += step.loss!;
  state.window.steps++;
  state.window.loss += step.loss!;
  for (const [name, { total, weight }] of Object.entries(sum.metrics)) {
    if (weight !== undefined) step.figures.add(name, total, weight);
    else {
      state.window.metrics[name] = (state.window.metrics[name] ?? 0) + total / (sum.weight || 1);
    }
  }
  run.evaluated = undefined;
  if (sum.weight === 0) log.warn(`step ${step.number} has no trained token`);
}

/** What is due after a step, and whether another one follows. */
async function endStep(run: Run, step: Step, tokens: number): Promise<void> {
  const { number, control } = step;
  const due = dueAt(number, run.plan);
  await run.reporter.step(step, tokens, due.log || control.log);
  const isBest = due.evaluate || control.evaluate ? await evaluateRun(run) : false;
  const stops = control.stop || isOutOfPatience(run);
  const isLast = number === run.plan.totalSteps;
  if (due.save || control.save || (isBest && keepsBest(run))) await saveRun(run, stops || isLast);
  if (stops) run.end = 'stopped';
  else if (isLast) run.end = 'finished';
}
