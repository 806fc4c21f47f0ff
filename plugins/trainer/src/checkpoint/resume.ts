// Resuming: finds the checkpoint and restores its state. resume-facts.ts compares its settings with
// those of the run.
import { basename, join } from 'node:path';
import type { Hooks, Logger, OptimizerRow } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import { parameterHashes, type Model } from '@lmflow/sdk/model';
import {
  inspectCheckpoint,
  listCheckpoints,
  OPTIMIZER_FILE,
  STATE_FILE,
  type OwnState,
} from './checkpoints.ts';
import { originAt, type Batching, type DataOrigin } from '../data/sampler.ts';
import { checkpointInvalid, resumeIncomplete } from '../errors.ts';
import { CheckpointFolder } from './checkpoint-folder.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import type { RunState } from '../loop/run-state.ts';
import type { Updater } from '../update/updater.ts';

export interface FoundCheckpoint {
  readonly folder: string;
  readonly own: OwnState;
}

/**
 * The checkpoint that `resumeFromCheckpoint` names, or the last complete one in outputDir; damaged
 * ones are skipped with a warning. Undefined if there is none yet. Throws LMFLOW_CHECKPOINT_INVALID
 * if a named one is not complete.
 */
export async function findCheckpoint(
  { options, outputDir }: Pick<RunPlan, 'options' | 'outputDir'>,
  log: Logger,
): Promise<FoundCheckpoint | undefined> {
  const wanted = options.resumeFromCheckpoint;
  if (wanted === false) return undefined;
  if (typeof wanted === 'string') {
    const found = await usable(wanted);
    if ('fault' in found) throw checkpointInvalid(wanted, found.fault);
    return { folder: wanted, own: found.own };
  }
  for (const { folder } of await listCheckpoints(outputDir)) {
    const found = await usable(folder);
    if ('own' in found) return { folder, own: found.own };
    log.warn(`${folder} is skipped: ${found.fault}`);
  }
  return undefined;
}

/** The place in the data that a checkpoint's run had come to, counted in its batches. */
export async function originOf(
  { folder, own: { step, facts } }: FoundCheckpoint,
  samples: number,
): Promise<DataOrigin> {
  const text = await readWhole(join(folder, STATE_FILE));
  const { epoch } = JSON.parse(text) as { readonly epoch: number };
  const { perDeviceTrainBatchSize, dataloaderDropLast } = facts.exact as Batching;
  return originAt(step, epoch, samples, { perDeviceTrainBatchSize, dataloaderDropLast });
}

async function usable(folder: string): ReturnType<typeof inspectCheckpoint> {
  const found = await inspectCheckpoint(folder);
  return 'own' in found && !(OPTIMIZER_FILE in found.own.files)
    ? { fault: 'it was saved with saveOnlyModel, without the optimizer' }
    : found;
}

export interface RestoreRequest {
  readonly hooks: Hooks;
  readonly model: Model;
  readonly state: RunState;
  readonly updater: Updater;
  readonly plan: RunPlan;
  readonly optimizers: ReadonlyMap<string, OptimizerRow>;
  readonly log: Logger;
}

/** Restores weights, optimizer and counters. Throws LMFLOW_RESUME_INCOMPLETE. */
export async function restoreRun(
  { folder, own }: FoundCheckpoint,
  { hooks, model, state, updater, plan, optimizers, log }: RestoreRequest,
): Promise<void> {
  await restoreModel(folder, own, hooks, model);
  const checkpoint = new CheckpointFolder('checkpoint', folder, own.step, model);
  const saved = await checkpoint.readTensors(OPTIMIZER_FILE);
  const { exact } = own.facts;
  const { optim, optimArgs } = plan.options;
  if (optimizers.get(String(exact['optim'])) === optimizers.get(optim)) {
    const missing = await updater.restore(model.parameters.values(), saved ?? new Map());
    if (missing.length > 0) {
      if (JSON.stringify(exact['optimArgs']) === JSON.stringify(optimArgs)) {
        throw resumeIncomplete(
          folder,
          `the optimizer's state lacks ${some(missing)}`,
          'Resume from an earlier checkpoint.',
        );
      }
      updater.reset();
      log.warn(
        `the state of ${optim} starts anew: the checkpoint, made with other optimArgs, ` +
          `lacks ${some(missing)}`,
      );
    }
  } else {
    log.warn(
      `the state of ${optim} starts anew: the checkpoint has the state of ${String(exact['optim'])}`,
    );
  }
  state.restore((await checkpoint.readJson(STATE_FILE)) as Record<string, unknown>, own);
}

/** Plugins restore their parameters; checks that every parameter has the saved numbers. */
async function restoreModel(
  folder: string,
  own: OwnState,
  hooks: Hooks,
  model: Model,
): Promise<void> {
  await hooks.onRestore.promise(new CheckpointFolder('checkpoint', folder, own.step, model));
  const now = await parameterHashes(model);
  const wrong = Object.keys(now).filter((name) => own.parameters[name] !== now[name]);
  if (wrong.length > 0) {
    throw resumeIncomplete(
      folder,
      `${wrong.length} of ${model.parameters.size} parameters did not come back as they were saved: ${some(wrong)}`,
    );
  }
}

function some(names: readonly string[]): string {
  return names.length > 3
    ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
    : names.join(', ');
}

/**
 * Restores the parameters of the best model, also in an output folder that was moved. Throws
 * LMFLOW_CHECKPOINT_INVALID.
 */
export async function restoreBest(
  { outputDir }: RunPlan,
  { bestModelCheckpoint }: RunState,
  hooks: Hooks,
  model: Model,
): Promise<string> {
  const candidates = [bestModelCheckpoint!, join(outputDir, basename(bestModelCheckpoint!))];
  let fault = '';
  for (const folder of candidates) {
    const found = await inspectCheckpoint(folder);
    if ('fault' in found) {
      fault ||= found.fault;
      continue;
    }
    await restoreModel(folder, found.own, hooks, model);
    return folder;
  }
  throw checkpointInvalid(bestModelCheckpoint!, fault);
}
