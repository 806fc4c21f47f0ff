// The output folder before a run: what may be in it, and what goes. What a run writes is in
// checkpoints.ts and report/results.ts.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Logger } from '@lmflow/sdk';
import { outputUnwritable, removeAsides } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import { outputHasLater, outputNotEmpty } from '../errors.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import { ifPresent } from './checkpoint-folder.ts';
import { listCheckpoints } from './checkpoints.ts';
import type { FoundCheckpoint } from './resume.ts';

/** Whether the folder has anything in it (names that start with a dot do not count). */
export async function isEmptyFolder(folder: string): Promise<boolean> {
  return ((await ifPresent(readdir(folder))) ?? []).every((name) => name.startsWith('.'));
}

/**
 * Makes the folder ready. Throws LMFLOW_OUTPUT_NOT_EMPTY where it has content and neither resuming
 * nor overwriting was chosen.
 */
export async function prepareOutput(
  { outputDir, options }: RunPlan,
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
  { outputDir, options }: RunPlan,
  resumed: FoundCheckpoint | undefined,
): Promise<string> {
  if (resumed) return `${outputDir} (resumed from ${basename(resumed.folder)})`;
  if (options.resumeFromCheckpoint !== false) {
    return `${outputDir} (no checkpoint yet: starts with the first step)`;
  }
  if (await isEmptyFolder(outputDir)) return outputDir;
  return `${outputDir} (${options.overwriteOutputDir ? 'overwritten' : 'not empty: training needs resumeFromCheckpoint or overwriteOutputDir'})`;
}
