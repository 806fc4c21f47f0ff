// Writes the checkpoints of a run. Their contents are in checkpoint/.
import { limitCheckpoints, saveCheckpoint } from '../checkpoint/checkpoints.ts';
import { checkUsable } from '../checkpoint/usable-parameters.ts';
import type { Run } from './run.ts';

/** Writes a checkpoint and removes those above the limit. `stopping`: the run ends with this step. */
export async function saveRun(run: Run, stopping: boolean): Promise<string> {
  const { request, plan, hooks, log, programs, updater, state, facts } = run;
  const { model } = request;
  const folder = await updater.withEvaluationWeights(
    model.parameters.values(),
    () => {
      programs.parametersChanged();
    },
    async () => {
      await checkUsable(model, state.globalStep, run.checkpoint);
      return saveCheckpoint({ plan, hooks, model, updater, state, facts, stopping });
    },
  );
  run.checkpoint = folder;
  run.savedStep = state.globalStep;
  log.event('checkpoint', { step: state.globalStep, folder }, `saved ${folder}`);
  const kept = [folder, state.bestModelCheckpoint];
  const removed = await limitCheckpoints(plan.outputDir, plan.options.saveTotalLimit, kept);
  if (removed.length > 0) log.debug(`removed ${removed.join(', ')} (saveTotalLimit)`);
  return folder;
}
