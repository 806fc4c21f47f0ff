// Writes the results at the end of a run: the model, figures, loss curve and model card.
// Checkpoints are in checkpoint/.
import { basename, resolve } from 'node:path';
import type { Checkpoint, Hooks, OpenRequest } from '@lmflow/sdk';
import { writeFilesInto } from '@lmflow/sdk/files';
import { CheckpointFolder } from '../checkpoint/checkpoint-folder.ts';
import { STATE_FILE } from '../checkpoint/checkpoints.ts';
import { round, type EvaluationResult } from '../loop/evaluation.ts';
import { sorted } from '../loop/run-state.ts';
import { modelCard, type CardRequest } from './model-card.ts';
import { lossChart } from './loss-chart.ts';

export interface FinishRequest extends Omit<CardRequest, 'evaluation'> {
  readonly hooks: Hooks;
  readonly request: OpenRequest;
  readonly evaluation: EvaluationResult | undefined;
}

/**
 * Writes the model (by onSave), the results, the loss curve and the model card into outputDir, each
 * file atomically. Throws LMFLOW_OUTPUT_UNWRITABLE.
 */
export async function writeResults({ hooks, evaluation, ...card }: FinishRequest): Promise<void> {
  const { request, plan, state } = card;
  const train = trainResults(card);
  const evaluated = evaluation && evaluationResults(evaluation, card);
  state.logHistory.push({
    epoch: round(state.epoch, 4),
    step: state.globalStep,
    total_flos: state.floatingPointOperations,
    ...withoutKeys(train, ['epoch', 'total_flos', 'train_samples']),
  });
  await writeFilesInto(plan.outputDir, async (aside) => {
    const checkpoint: Checkpoint = new CheckpointFolder(
      'final',
      aside,
      state.globalStep,
      request.model,
    );
    await hooks.onSave.promise(checkpoint);
    await checkpoint.writeJson(STATE_FILE, state.toJson(plan, true));
    await checkpoint.writeJson('train_results.json', sorted(train));
    if (evaluated) await checkpoint.writeJson('eval_results.json', sorted(evaluated));
    await checkpoint.writeJson('all_results.json', sorted({ ...train, ...evaluated }));
    await checkpoint.writeText(
      'training_loss.svg',
      lossChart(state.logHistory, `Loss of ${basename(resolve(plan.outputDir))}`),
    );
    await checkpoint.writeText(
      'README.md',
      modelCard({ ...card, evaluation: evaluation?.metrics }),
    );
  });
}

function trainResults({
  request,
  state,
}: Omit<FinishRequest, 'hooks' | 'evaluation'>): Record<string, number> {
  return {
    epoch: round(state.epoch, 4),
    total_flos: state.floatingPointOperations,
    train_loss: state.trainLoss,
    train_runtime: round(state.seconds, 4),
    train_samples: request.data.samples,
    train_samples_per_second: round(rate(state.epoch * request.data.samples, state.seconds), 3),
    train_steps_per_second: round(rate(state.globalStep, state.seconds), 3),
  };
}

function evaluationResults(
  { metrics, seconds, batches }: EvaluationResult,
  { request, state }: Omit<FinishRequest, 'hooks' | 'evaluation'>,
): Record<string, number> {
  const samples = request.evaluation?.length ?? 0;
  const { perplexity, ...others } = metrics;
  return {
    epoch: round(state.epoch, 4),
    ...Object.fromEntries(Object.entries(others).map(([name, value]) => [`eval_${name}`, value])),
    eval_runtime: round(seconds, 4),
    eval_samples: samples,
    eval_samples_per_second: round(rate(samples, seconds), 3),
    eval_steps_per_second: round(rate(batches, seconds), 3),
    ...(perplexity === undefined ? {} : { perplexity }),
  };
}

const rate = (count: number, seconds: number): number => (seconds > 0 ? count / seconds : 0);

function withoutKeys(
  record: Readonly<Record<string, number>>,
  keys: readonly string[],
): Record<string, number> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}
