// The evaluations of a run: when they are due, and the comparison with the best so far. What is
// computed is in evaluation.ts.
import type { Evaluation } from '@lmflow/sdk';
import { metricUnknown } from '../errors.ts';
import { evaluateSamples, type EvaluationResult } from './evaluation.ts';
import type { Run } from './run.ts';
import { saveRun } from './run-saving.ts';

/** Whether each new best model is saved. */
export function keepsBest({ plan: { options } }: Run): boolean {
  return options.loadBestModelAtEnd || options.saveStrategy === 'best';
}

/** Whether training stops because too many evaluations in a row were not better. */
export function isOutOfPatience({ plan: { options }, state }: Run): boolean {
  return state.patience >= (options.earlyStoppingPatience ?? Infinity);
}

/** The evaluation before the first step, or the one that was interrupted before a resume. */
export async function evaluateFirst(run: Run): Promise<void> {
  const { plan, state } = run;
  if (!state.evaluationDue && !(plan.options.evalOnStart && state.globalStep === 0)) return;
  if ((await evaluateRun(run)) && keepsBest(run)) await saveRun(run, isOutOfPatience(run));
}

/**
 * Evaluates the present parameters and compares them with the best so far; resolves to whether they
 * are better. Untrained ones (evalOnStart) do not count.
 */
export async function evaluateRun(run: Run): Promise<boolean> {
  const { request, hooks, programs, updater, state, reporter, evaluations } = run;
  const { model, evaluation: samples } = request;
  if (!samples?.length && evaluations.length === 0) return false;
  state.evaluationDue = true; // where it is interrupted, the resumed run evaluates first
  const result = await updater.withEvaluationWeights(
    model.parameters.values(),
    () => {
      programs.parametersChanged();
    },
    () => evaluateAll(run),
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
  await reporter.evaluation(result, samples?.length ?? 0);
  return isBest;
}

/** The loss on samples, where there are any, and what plugins measure; undefined if interrupted. */
async function evaluateAll(run: Run): Promise<EvaluationResult | undefined> {
  const { request, plan, hooks, log, programs, state, collating, evaluations } = run;
  const { model, evaluation: samples, objective, signal } = request;
  const started = performance.now();
  const found = samples?.length
    ? await evaluateSamples({
        programs,
        hooks,
        model,
        samples,
        objective,
        collating,
        signal,
        batchSize: plan.options.perDeviceEvalBatchSize,
        step: { number: state.globalStep, totalSteps: plan.totalSteps, epoch: state.epoch },
        progress: (done) => {
          log.progress(`evaluating  ${done}/${samples.length}`);
        },
      })
    : { metrics: {}, batches: 0, seconds: 0 };
  if (!found || evaluations.length === 0) return found;
  const metrics = { ...found.metrics };
  for (const row of evaluations) {
    try {
      Object.assign(metrics, await row.evaluate({ model, signal }));
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }
  return { ...found, metrics, seconds: (performance.now() - started) / 1000 };
}

function compareWithBest({ plan, state }: Run, metrics: Readonly<Record<string, number>>): boolean {
  const { bestMetric, greaterIsBetter, options } = plan;
  if (bestMetric === undefined) return false;
  const value = metrics[bestMetric];
  if (value === undefined) throw metricUnknown(bestMetric, Object.keys(metrics));
  const best = state.bestMetric;
  const isBetter = isBetterThan(best, value, greaterIsBetter);
  const isClear = best === undefined || Math.abs(value - best) > options.earlyStoppingThreshold;
  state.patience = isBetter && isClear ? 0 : state.patience + 1;
  if (isBetter) [state.bestMetric, state.bestGlobalStep] = [value, state.globalStep];
  return isBetter;
}

function isBetterThan(best: number | undefined, value: number, greaterIsBetter: boolean): boolean {
  if (best === undefined) return !Number.isNaN(value);
  return greaterIsBetter ? value > best : value < best;
}
