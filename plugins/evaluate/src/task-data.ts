// The records of a task: of a folder of the user's, else of the Hugging Face hub.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatasetLoader } from '@lmflow/plugin-datasets';
import { recordUnfit, taskInvalid } from './errors.ts';
import type { TaskData } from './questions.ts';
import type { TaskFile } from './task-file.ts';
import type { Doc } from './template.ts';

/** What is read of where. */
export interface DataRequest {
  readonly datasets: DatasetLoader;
  /** A folder with a folder of data for each task, named like it. */
  readonly dataDir: string | undefined;
  readonly shots: number;
  readonly signal: AbortSignal;
}

/** Reads the split that is evaluated, and where examples are wanted the one they are from. */
export async function readTaskData(
  { task, dataset, splits }: TaskFile,
  { datasets, dataDir, shots, signal }: DataRequest,
): Promise<TaskData> {
  const evaluated = splits.test ?? splits.validation;
  if (evaluated === undefined) {
    throw taskInvalid(task, 'it names neither a test nor a validation split');
  }
  const own = dataDir === undefined ? undefined : join(dataDir, task);
  const isOwn = own !== undefined && existsSync(own);
  const { splits: named = {}, ...published } = dataset;
  const source = isOwn ? { path: own } : published;
  const read = async (split: string): Promise<Doc[]> => {
    const docs: Doc[] = [];
    const file = 'files' in source ? source.files?.[split] : undefined;
    const where =
      file === undefined
        ? { ...source, split: isOwn ? split : (named[split] ?? split) }
        : { path: file, split: 'train' };
    for await (const { value } of datasets.rawRecords(where, signal)) {
      docs.push(value);
    }
    if (docs.length === 0) throw recordUnfit(task, `split ${split}`, 'it has no records');
    return docs;
  };
  const docs = await read(evaluated);
  const pool = splits.shots ?? splits.train ?? splits.validation ?? evaluated;
  if (shots === 0) return { docs, pool: [], leaveOut: false };
  const isSame = pool === evaluated;
  // as the harness decides it: also where train has the examples and there is no test split
  const leaveOut = isSame || splits.shots === splits.test;
  return { docs, pool: isSame ? docs : await read(pool), leaveOut };
}
