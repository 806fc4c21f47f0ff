// What a stage was made of and what it made, in a file beside its folder: `<stage>.stage.json`.
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { makeFolder, readWhole, writeFileAtomic } from '@lmflow/sdk/files';
import { changedFile, type FileFacts } from './digests.ts';
import { folderTaken } from './errors.ts';

/** What decides what a stage makes, as hashes. */
export interface Ingredients {
  /** Of command, presets, plugins, configuration, arguments and flags. */
  readonly settings: string;
  /** Of files and folders, by path. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Of what other stages made, by name. */
  readonly stages: Readonly<Record<string, string>>;
}

/** The content of the file. */
export interface StageRecord extends Ingredients {
  readonly command: string;
  /** `running` in a file: the stage did not come to its end. */
  readonly state: 'running' | 'done';
  readonly seconds?: number;
  readonly outputs: readonly FileFacts[];
}

const pathOf = (folder: string): string => `${folder}.stage.json`;

/** The record of a folder; undefined where there is none that can be read. */
export async function readRecord(folder: string): Promise<StageRecord | undefined> {
  const path = pathOf(folder);
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(await readWhole(path)) as StageRecord;
  } catch {
    return undefined;
  }
}

export async function writeRecord(folder: string, record: StageRecord): Promise<void> {
  await writeFileAtomic(pathOf(folder), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** Why a stage has to run; undefined where what it made is what it would make. */
export async function whyStale(
  folder: string,
  record: StageRecord | undefined,
  now: Ingredients,
): Promise<string | undefined> {
  if (!record) return 'it has not run';
  if (record.state !== 'done') return 'it did not come to its end';
  if (record.settings !== now.settings) return 'its settings changed';
  const input = firstDifferent(record.inputs, now.inputs);
  if (input !== undefined) return `its input ${input} changed`;
  const stage = firstDifferent(record.stages, now.stages);
  if (stage !== undefined) return `what stage ${stage} made changed`;
  const output = await changedFile(folder, record.outputs);
  return output === undefined ? undefined : `its output ${output} changed or is gone`;
}

function firstDifferent(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string | undefined {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names.find((name) => before[name] !== now[name]);
}

/** An empty folder. Throws LMFLOW_PIPELINE_FOLDER where files lie in it that no stage made. */
export async function emptied(folder: string, stage: string): Promise<void> {
  if (existsSync(folder)) {
    const isStage = existsSync(pathOf(folder));
    if (!isStage && (await readdir(folder)).length > 0) throw folderTaken(stage, folder);
    await rm(folder, { recursive: true });
  }
  await makeFolder(folder);
}
