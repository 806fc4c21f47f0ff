// Evaluates samples without training: sums over all of them, divided once. When a run evaluates is
// in run-evaluation.ts.
import { sequencesOf, type Hooks, type Objective, type Samples, type Step } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { collate, type CollateOptions } from '../data/collate.ts';
import { evaluationBatches } from '../data/sampler.ts';
import { figuresOf, quotients, type FigureSums } from './figures.ts';
import type { Programs } from './programs.ts';

export interface EvaluateRequest {
  readonly programs: Programs;
  readonly hooks: Hooks;
  readonly model: Model;
  readonly samples: Samples;
  readonly objective: Objective;
  readonly batchSize: number;
  readonly collating: CollateOptions;
  readonly step: Pick<Step, 'number' | 'totalSteps' | 'epoch'>;
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch with the number of samples done. */
  readonly progress?: (done: number) => void;
}

export interface EvaluationResult {
  /**
   * `loss` and the objective's own sums, each divided by the whole weight, and the figures that
   * follow from them.
   */
  readonly metrics: Record<string, number>;
  readonly seconds: number;
  readonly batches: number;
}

/**
 * Resolves to undefined if the signal is aborted meanwhile. Every sample counts, also in a last
 * batch that is not full.
 */
export async function evaluateSamples(
  request: EvaluateRequest,
): Promise<EvaluationResult | undefined> {
  const { programs, hooks, model, samples, objective, batchSize, collating, signal, progress } =
    request;
  const started = performance.now();
  const batches = evaluationBatches(samples, batchSize);
  const sums: Record<string, number> = { loss: 0 };
  const ratios: FigureSums = {};
  const figures = figuresOf(() => ratios);
  let [weight, done] = [0, 0];
  for (const [micro, indices] of batches.entries()) {
    await new Promise(setImmediate); // lets Ctrl-C through
    if (signal?.aborted) return undefined;
    const collated = collate(
      indices.flatMap((index) => sequencesOf(samples, index)),
      collating,
    );
    const control = { stop: false, save: false, evaluate: false, log: false };
    const batch = await hooks.onBatch.promise(collated, {
      ...request.step,
      model,
      control,
      figures,
      mode: 'evaluation',
      batches: [collated],
    });
    const { loss, metrics } = await programs.run('evaluation', {
      batch,
      step: request.step.number,
      micro,
    });
    sums['loss']! += loss;
    for (const [name, { total, weight: own }] of Object.entries(metrics)) {
      if (own === undefined) sums[name] = (sums[name] ?? 0) + total;
      else figures.add(name, total, own);
    }
    weight += objective.weight(batch);
    done += indices.length;
    progress?.(done);
  }
  const means = {
    ...Object.fromEntries(Object.entries(sums).map(([name, total]) => [name, total / weight])),
    ...quotients(ratios),
  };
  const metrics = { ...means, ...objective.figures?.(means), ...means }; // a sum of that name counts
  return { metrics, batches: batches.length, seconds: (performance.now() - started) / 1000 };
}

/** The figures of an evaluation with transformers' names (`eval_loss`, ...), and its duration. */
export function evaluationFigures(
  { metrics, seconds, batches }: EvaluationResult,
  samples: number,
): Record<string, number> {
  return {
    ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value])),
    eval_runtime: round(seconds, 4),
    ...(batches === 0
      ? {}
      : {
          eval_samples_per_second: round(samples / seconds, 3),
          eval_steps_per_second: round(batches / seconds, 3),
        }),
  };
}

/** Rounds to decimal places, as transformers does with times and rates. */
export function round(value: number, places: number): number {
  return Number(value.toFixed(places));
}
