// The output folder: what may be in it before a run, and everything written into it at the end.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Checkpoint, FitRequest, Hooks, Logger } from '@lmflow/sdk';
import { outputUnwritable, removeAsides, writeFilesInto } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import { modelCard, type CardRequest } from './model-card.ts';
import { lossChart } from './loss-chart.ts';
import { listCheckpoints, STATE_FILE } from '../checkpoint/checkpoints.ts';
import { outputHasLater, outputNotEmpty } from '../errors.ts';
import { round, type EvaluationResult } from '../loop/evaluation.ts';
import { CheckpointFolder, ifPresent } from '../checkpoint/checkpoint-folder.ts';
import type { FoundCheckpoint } from '../checkpoint/resume.ts';
import type { RunSettings } from '../loop/run-plan.ts';
import { sorted } from '../loop/run-state.ts';

/** Whether the folder has anything in it (names that start with a dot do not count). */
export async function isEmptyFolder(folder: string): Promise<boolean> {
  return ((await ifPresent(readdir(folder))) ?? []).every((name) => name.startsWith('.'));
}

/**
 * Makes the folder ready. Throws LMFLOW_OUTPUT_NOT_EMPTY where it has content and neither resuming
 * nor overwriting was chosen.
 */
export async function prepareOutput(
  { outputDir, options }: RunSettings,
  model: Model,
  resumed: FoundCheckpoint | undefined,
  log: Logger,
): Promise<void> {
  const checkpoints = await listCheckpoints(outputDir);
  const { overwriteOutputDir: overwrite, resumeFromCheckpoint: resume } = options;
  if (resume === false && !overwrite && !(await isEmptyFolder(outputDir))) {
    throw outputNotEmpty(outputDir, checkpoints[0] && basename(checkpoints[0].folder));
  }
  // A named checkpoint begins another course of the run: those after it belong to the old one, and
  // would be taken for the newest next time.
  const stale =
    resume === false
      ? checkpoints
      : checkpoints.filter(
          ({ step }) =>
            typeof resume === 'string' && resumed !== undefined && step > resumed.own.step,
        );
  if (stale.length > 0 && !overwrite) {
    throw outputHasLater(
      outputDir,
      basename(resumed!.folder),
      stale.map(({ folder }) => basename(folder)),
    );
  }
  try {
    await mkdir(outputDir, { recursive: true });
    await removeAsides(outputDir);
    if (!overwrite) return;
    for (const { folder } of stale) await rm(folder, { recursive: true, force: true });
    if (resume === false) await removeResults(outputDir, model);
  } catch (error) {
    throw outputUnwritable(`outputDir ${outputDir}`, error);
  }
  if (stale.length > 0) {
    log.info(
      `${outputDir} is overwritten: ${stale.length} old checkpoint${stale.length === 1 ? '' : 's'} removed`,
    );
  }
}

// What readers would take for the result of this run: an adapter beside a whole model, shards
// beside one file.
const RESULTS =
  /^(adapter_(model\.safetensors|config\.json)|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json|trainer_log\.jsonl)$/;

async function removeResults(outputDir: string, model: Model): Promise<void> {
  const isModel = resolve(outputDir) === resolve(model.folder);
  for (const file of await readdir(outputDir)) {
    if (RESULTS.test(file) && !(isModel && file.startsWith('model'))) {
      await rm(join(outputDir, file), { force: true });
    }
  }
}

/** For the plan: what would happen to the folder. */
export async function describeOutput(
  { outputDir, options }: RunSettings,
  resumed: FoundCheckpoint | undefined,
): Promise<string> {
  if (resumed) return `${outputDir} (resumed from ${basename(resumed.folder)})`;
  if (options.resumeFromCheckpoint !== false) {
    return `${outputDir} (no checkpoint yet: starts with the first step)`;
  }
  if (await isEmptyFolder(outputDir)) return outputDir;
  return `${outputDir} (${options.overwriteOutputDir ? 'overwritten' : 'not empty: training needs resumeFromCheckpoint or overwriteOutputDir'})`;
}

export interface FinishRequest extends Omit<CardRequest, 'evaluation'> {
  readonly hooks: Hooks;
  readonly request: FitRequest;
  readonly evaluation: EvaluationResult | undefined;
}

/**
 * Writes the model (by onSave), the results, the loss curve and the model card into outputDir, each
 * file whole. Throws LMFLOW_OUTPUT_UNWRITABLE.
 */
export async function writeResults({ hooks, evaluation, ...card }: FinishRequest): Promise<void> {
  const { request, settings, state } = card;
  const train = trainResults(card);
  const evaluated = evaluation && evaluationResults(evaluation, card);
  state.logHistory.push({
    epoch: round(state.epoch, 4),
    step: state.globalStep,
    total_flos: state.floatingPointOperations,
    ...withoutKeys(train, ['epoch', 'total_flos', 'train_samples']),
  });
  await writeFilesInto(settings.outputDir, async (aside) => {
    const checkpoint: Checkpoint = new CheckpointFolder(
      'final',
      aside,
      state.globalStep,
      request.model,
    );
    await hooks.onSave.promise(checkpoint);
    await checkpoint.writeJson(STATE_FILE, state.toJson(settings, true));
    await checkpoint.writeJson('train_results.json', sorted(train));
    if (evaluated) await checkpoint.writeJson('eval_results.json', sorted(evaluated));
    await checkpoint.writeJson('all_results.json', sorted({ ...train, ...evaluated }));
    await checkpoint.writeText(
      'training_loss.svg',
      lossChart(state.logHistory, `Loss of ${basename(resolve(settings.outputDir))}`),
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
    train_samples: request.train.length,
    train_samples_per_second: round(rate(state.epoch * request.train.length, state.seconds), 3),
    train_steps_per_second: round(rate(state.globalStep, state.seconds), 3),
  };
}

function evaluationResults(
  { metrics, seconds, batches }: EvaluationResult,
  { request, state }: Omit<FinishRequest, 'hooks' | 'evaluation'>,
): Record<string, number> {
  const samples = request.evaluation!.length;
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
