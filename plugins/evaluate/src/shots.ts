// Which examples a record gets: lm-evaluation-harness' draws.
import { isDeepStrictEqual } from 'node:util';
import { tooFewShots } from './errors.ts';
import { PythonRandom } from './python-random.ts';
import type { Doc } from './template.ts';

/** The splits of a task that were read. */
export interface TaskData {
  readonly docs: readonly Doc[];
  /** Where examples come from. */
  readonly pool: readonly Doc[];
  /** One more example is drawn, and the record itself is left out. */
  readonly leaveOut: boolean;
}

/**
 * The examples of each record in turn: drawn by one generator for all, in the order of the records,
 * so that they are the harness'. A record is never its own example.
 */
export function shotDrawer(
  { task, sampler }: { readonly task: string; readonly sampler: 'default' | 'first_n' },
  { pool, leaveOut }: TaskData,
  { shots, seed }: { readonly shots: number; readonly seed: number },
): (doc: Doc) => readonly Doc[] {
  if (shots === 0) return () => [];
  const drawn = leaveOut ? shots + 1 : shots;
  if (pool.length < drawn) throw tooFewShots(task, drawn, pool.length);
  const others = (docs: readonly Doc[], doc: Doc): readonly Doc[] =>
    leaveOut ? docs.filter((one) => !isDeepStrictEqual(one, doc)) : docs;
  if (sampler === 'first_n') return (doc) => others(pool, doc).slice(0, shots);
  const random = new PythonRandom(seed);
  const draw = (from: readonly Doc[], count: number): readonly Doc[] =>
    random.sample(from.length, count).map((at) => from[at]!);
  return (doc) => {
    const found = others(draw(pool, drawn), doc).slice(0, shots);
    if (found.length === shots) return found;
    // the record is there more than once
    const rest = others(pool, doc);
    if (rest.length < shots) throw tooFewShots(task, shots, rest.length);
    return draw(rest, shots);
  };
}
