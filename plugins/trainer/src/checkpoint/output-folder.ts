// Prepares the output folder before a run: removes old files and takes the folder's lock. What a
// run writes is in checkpoints.ts and report/results.ts.
import { readdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { isLMFlowError, type Logger } from '@lmflow/sdk';
import { makeFolder, outputUnwritable, removeAsides, removeFolder } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import { outputHasLater, outputNotEmpty } from '../errors.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import { ifPresent } from './checkpoint-folder.ts';
import { listCheckpoints } from './checkpoints.ts';
import { OutputLock } from './output-lock.ts';
import type { FoundCheckpoint } from './resume.ts';

/** Whether the folder has no content; names that start with a dot do not count. */
async function isEmptyFolder(folder: string): Promise<boolean> {
  return ((await ifPresent(readdir(folder))) ?? []).every((name) => name.startsWith('.'));
}

/**
 * Prepares the folder and takes its lock. Throws LMFLOW_OUTPUT_NOT_EMPTY if it has content and
 * neither resuming nor overwriting was chosen, LMFLOW_OUTPUT_BUSY if another run writes to it.
 */
export async function prepareOutput(
  plan: RunPlan,
  model: Model,
  resumed: FoundCheckpoint | undefined,
  log: Logger,
): Promise<OutputLock> {
  const { outputDir, options } = plan;
  const { overwriteOutputDir: overwrite, resumeFromCheckpoint: resume } = options;
  let lock: OutputLock | undefined;
  try {
    await makeFolder(outputDir);
    lock = await OutputLock.take(outputDir);
    const stale = await staleCheckpoints(plan, resumed);
    if (resume === false && !overwrite && !(await isEmptyFolder(outputDir))) {
      throw outputNotEmpty(outputDir, stale[0]);
    }
    if (stale.length > 0 && !overwrite) {
      throw outputHasLater(outputDir, basename(resumed!.folder), stale);
    }
    await removeAsides(outputDir);
    if (!overwrite) return lock;
    for (const name of stale) await removeFolder(join(outputDir, name));
    if (resume === false) await removeResults(outputDir, model);
    if (stale.length > 0) {
      log.info(
        `${outputDir} is overwritten: ${stale.length} old checkpoint${stale.length === 1 ? '' : 's'} removed`,
      );
    }
    return lock;
  } catch (error) {
    await lock?.release();
    throw isLMFlowError(error) ? error : outputUnwritable(`outputDir ${outputDir}`, error);
  }
}

/**
 * Old checkpoints to remove, the latest first: all if the run starts anew; if it resumes from a
 * named one, those after it, since the next resume would take the latest.
 */
async function staleCheckpoints(
  { outputDir, options: { resumeFromCheckpoint: resume } }: RunPlan,
  resumed: FoundCheckpoint | undefined,
): Promise<string[]> {
  const checkpoints = await listCheckpoints(outputDir);
  const stale = checkpoints.filter(
    ({ step }) =>
      resume === false ||
      (typeof resume === 'string' && resumed !== undefined && step > resumed.own.step),
  );
  return stale.map(({ folder }) => basename(folder));
}

// Old results that readers would take for this run's: an adapter beside a whole model, shards
// beside one file.
const RESULTS = new RegExp(
  '^(adapter_(model\\.safetensors|config\\.json)|model(-\\d+-of-\\d+)?\\.safetensors|' +
    'model\\.safetensors\\.index\\.json|trainer_log\\.jsonl)$',
);

async function removeResults(outputDir: string, model: Model): Promise<void> {
  const isModel = resolve(outputDir) === resolve(model.folder);
  for (const file of await readdir(outputDir)) {
    if (RESULTS.test(file) && !(isModel && file.startsWith('model'))) {
      await rm(join(outputDir, file), { force: true });
    }
  }
}

/** For the plan: what the run does to the folder. */
export async function describeOutput(
  plan: RunPlan,
  resumed: FoundCheckpoint | undefined,
): Promise<string> {
  const { outputDir, options } = plan;
  const stale = await staleCheckpoints(plan, resumed);
  const happens = options.overwriteOutputDir
    ? 'overwritten'
    : 'training needs resumeFromCheckpoint or overwriteOutputDir';
  if (resumed) {
    const later = stale.length > 0 ? `; later ones, ${stale.join(', ')}: ${happens}` : '';
    return `${outputDir} (resumed from ${basename(resumed.folder)}${later})`;
  }
  if (options.resumeFromCheckpoint !== false) {
    return `${outputDir} (no checkpoint yet: starts with the first step)`;
  }
  if (await isEmptyFolder(outputDir)) return outputDir;
  return `${outputDir} (${options.overwriteOutputDir ? happens : `not empty: ${happens}`})`;
}
