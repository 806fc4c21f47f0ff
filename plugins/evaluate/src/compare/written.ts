// Results of an earlier run, ours or lm-evaluation-harness': results_<time>.json and the
// samples_<task>_<time>.jsonl beside it.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readWhole } from '@lmflow/sdk/files';
import { z } from 'zod';
import { resultsInvalid } from '../errors.ts';
import { documentsOf, type ComparableTask } from './documents.ts';

const schema = z.looseObject({
  results: z.record(z.string(), z.unknown()),
  groups: z.record(z.string(), z.unknown()).default({}),
  'n-shot': z.record(z.string(), z.union([z.number(), z.null()])).default({}),
});

/** What is read of written results. */
export interface Written {
  /** Those that have a samples file. */
  readonly tasks: readonly ComparableTask[];
  /** Names of groups. */
  readonly groups: readonly string[];
}

/** Reads written results. Throws LMFLOW_EVALUATE_RESULTS. */
export async function readWritten(file: string): Promise<Written> {
  const written = await readAs(file, (text) => schema.parse(JSON.parse(text)));
  const { results, groups, 'n-shot': shots } = written;
  const time = basename(file).slice('results_'.length, -'.json'.length);
  const tasks: ComparableTask[] = [];
  for (const task of Object.keys(results)) {
    const samples = join(dirname(file), `samples_${task}_${time}.jsonl`);
    if (!existsSync(samples)) continue; // a group of tasks
    const documents = await readAs(samples, (text) =>
      documentsOf(
        text
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as unknown),
      ),
    );
    tasks.push({ task, shots: shots[task] ?? 0, documents });
  }
  if (tasks.length > 0) return { tasks, groups: Object.keys(groups) };
  throw resultsInvalid(file, `no samples_<task>_${time}.jsonl lies beside it`);
}

async function readAs<T>(file: string, parse: (text: string) => T): Promise<T> {
  try {
    return parse(await readWhole(file));
  } catch (cause) {
    const [issue] = cause instanceof z.ZodError ? cause.issues : [];
    throw resultsInvalid(
      file,
      issue ? `${issue.path.join('.')}: ${issue.message}` : 'it cannot be read as JSON',
      cause,
    );
  }
}
