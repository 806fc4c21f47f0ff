// The checkpoints of a run: writes, lists, checks and removes them. What must match to resume from
// one is in resume-facts.ts.
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Hooks } from '@lmflow/sdk';
import { filesUnder, kindOf, readWhole, removeFolder, writeFolder } from '@lmflow/sdk/files';
import { parameterHashes, type Model } from '@lmflow/sdk/model';
import { CheckpointFolder, hashFile, ifPresent } from './checkpoint-folder.ts';
import type { ResumeFacts } from './resume-facts.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import type { PrivateState, RunState } from '../loop/run-state.ts';
import type { Updater } from '../update/updater.ts';

export const STATE_FILE = 'trainer_state.json';
const OWN_FILE = 'lmflow_state.json';
export const OPTIMIZER_FILE = 'optimizer.safetensors';
const ARGUMENTS_FILE = 'training_args.json';

/** lmflow_state.json: written last, so that a folder without it is no checkpoint. */
export interface OwnState extends PrivateState {
  readonly version: 1;
  readonly step: number;
  /** Hash of each parameter, to check that plugins restore all of them. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly facts: ResumeFacts;
  /** SHA-256 of the rest of this file's content. */
  readonly sha256?: string;
  /** Every other file. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

export interface SaveRequest {
  readonly plan: RunPlan;
  readonly hooks: Hooks;
  readonly model: Model;
  readonly state: RunState;
  readonly updater: Updater;
  readonly facts: ResumeFacts;
  /** Whether the run ends with this step. */
  readonly stopping: boolean;
}

/**
 * Writes checkpoint-N under another name and renames it; resolves to its folder. Throws
 * LMFLOW_OUTPUT_UNWRITABLE.
 */
export async function saveCheckpoint({
  plan,
  hooks,
  model,
  state,
  updater,
  facts,
  stopping,
}: SaveRequest): Promise<string> {
  const { outputDir, options } = plan;
  const folder = join(outputDir, `checkpoint-${state.globalStep}`);
  if (state.bestGlobalStep === state.globalStep) state.bestModelCheckpoint = folder;
  const write = async (aside: string): Promise<void> => {
    const checkpoint = new CheckpointFolder('checkpoint', aside, state.globalStep, model);
    await hooks.onSave.promise(checkpoint);
    if (!options.saveOnlyModel) await checkpoint.writeTensors(OPTIMIZER_FILE, updater.save());
    await checkpoint.writeJson(STATE_FILE, state.toJson(plan, stopping));
    await checkpoint.writeJson(ARGUMENTS_FILE, { outputDir, seed: plan.seed, ...options });
    const files: Record<string, OwnState['files'][string]> = {};
    for (const file of await filesUnder(aside)) {
      files[file] = {
        bytes: (await stat(join(aside, file))).size,
        sha256: await hashFile(join(aside, file)),
      };
    }
    const own: OwnState = {
      version: 1,
      step: state.globalStep,
      parameters: await parameterHashes(model),
      facts,
      files,
      ...state.privateState(),
    };
    await checkpoint.writeJson(OWN_FILE, { ...own, sha256: contentHash(own) });
  };
  await writeFolder(folder, write, { replace: true });
  return folder;
}

/** Hash of the state as it is written, without the hash itself. */
function contentHash({ sha256: _hash, ...own }: OwnState): string {
  return createHash('sha256').update(JSON.stringify(own)).digest('hex');
}

/** Folders checkpoint-N, the latest first. */
export async function listCheckpoints(
  outputDir: string,
): Promise<{ readonly step: number; readonly folder: string }[]> {
  const names = (await ifPresent(readdir(outputDir))) ?? [];
  const steps = names.flatMap((name) => {
    const match = /^checkpoint-(\d+)$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
  return steps
    .sort((a, b) => b - a)
    .map((step) => ({ step, folder: join(outputDir, `checkpoint-${step}`) }));
}

/** The state of a complete checkpoint, or the fault of another. */
export async function inspectCheckpoint(
  folder: string,
): Promise<{ readonly own: OwnState } | { readonly fault: string }> {
  if (!(await ifPresent(stat(folder)))) return { fault: 'the folder does not exist' };
  const there = await ifPresent(stat(join(folder, OWN_FILE)));
  if (there?.isFile() === false) return { fault: `${OWN_FILE} is ${kindOf(there)}` };
  const text = await ifPresent(readWhole(join(folder, OWN_FILE)));
  if (text === undefined) {
    return { fault: `${OWN_FILE} is missing: it was not made by this trainer, or not completely` };
  }
  const own = parsed(text);
  if (own?.version !== 1) return { fault: `${OWN_FILE} cannot be read` };
  // checkpoints of earlier versions have no hash of it
  if (own.sha256 !== undefined && own.sha256 !== contentHash(own)) {
    return { fault: `${OWN_FILE} is damaged` };
  }
  for (const [file, { bytes, sha256 }] of Object.entries(own.files)) {
    const found = await ifPresent(stat(join(folder, file)));
    if (!found) return { fault: `${file} is missing` };
    if (!found.isFile()) return { fault: `${file} is ${kindOf(found)}` };
    if (found.size !== bytes) {
      return { fault: `${file} has ${found.size} bytes instead of ${bytes}` };
    }
    if ((await hashFile(join(folder, file))) !== sha256) return { fault: `${file} is damaged` };
  }
  return { own };
}

function parsed(text: string): OwnState | undefined {
  try {
    return JSON.parse(text) as OwnState;
  } catch {
    return undefined;
  }
}

/**
 * Removes the oldest checkpoints above the limit, never the ones in `kept` (the one just written,
 * the best); resolves to the names of the removed ones.
 */
export async function limitCheckpoints(
  outputDir: string,
  limit: number | undefined,
  kept: readonly (string | undefined)[],
): Promise<string[]> {
  if (limit === undefined) return [];
  const all = await listCheckpoints(outputDir);
  const protectedNames = new Set(
    kept.flatMap((folder) => (folder === undefined ? [] : [basename(folder)])),
  );
  const spare = all.filter(({ folder }) => !protectedNames.has(basename(folder)));
  const removed = spare.slice(Math.max(0, spare.length - Math.max(0, all.length - limit)));
  for (const { folder } of removed) await removeFolder(folder);
  return removed.map(({ folder }) => basename(folder));
}
