// Runs a beam search on a model: beams are rows of a cache of their own; a beam that goes on in two
// ways is copied.
import { setImmediate } from 'node:timers/promises';
import type { StepRunner } from '../decode/runner.ts';
import type { LogitsProcessor } from '../sampling/processor.ts';
import type { Settings } from '../settings.ts';
import { BeamSearch, type Beam } from './search.ts';

/** What is searched for. */
export interface BeamRequest {
  readonly prompt: Int32Array;
  readonly settings: Settings;
  /** What plugins do to the log-probabilities of each beam. */
  readonly process: LogitsProcessor | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Decodes one prompt; gives numReturnSequences beams, best first, and whether the signal ended it.
 */
export async function decodeBeams(
  runner: StepRunner,
  { prompt, settings, process, signal }: BeamRequest,
): Promise<{ readonly beams: readonly Beam[]; readonly aborted: boolean }> {
  const search = new BeamSearch(settings, prompt, process);
  const { numBeams, numReturnSequences } = settings;
  try {
    runner.reserve(numBeams, prompt.length, () => 0);
    search.advance([await runner.read({ row: 0, ids: prompt, at: 0 })]);
    let rows = [0];
    for (let at = prompt.length; !search.done && signal?.aborted !== true; at++) {
      runner.reserve(numBeams, at + 1, () => at);
      rows = inherit(runner, search.running, rows, at);
      search.advance(
        await runner.step(
          search.running.map(({ ids }, place) => ({ row: rows[place]!, ids: [ids.at(-1)!], at })),
        ),
      );
      await setImmediate();
    }
    return { beams: search.best(numReturnSequences), aborted: !search.done };
  } finally {
    runner.cache.dispose();
  }
}

/** The first child of a beam keeps its row, others get a copy in a row that is free. */
function inherit(
  runner: StepRunner,
  beams: readonly Beam[],
  rows: readonly number[],
  count: number,
): number[] {
  const taken = new Set<number>();
  const parents = new Set(beams.map(({ parent }) => rows[parent]!));
  const free = Array.from({ length: runner.cache.rows }, (_, row) => row).filter(
    (row) => !parents.has(row),
  );
  return beams.map(({ parent }) => {
    const row = rows[parent]!;
    if (!taken.has(row)) {
      taken.add(row);
      return row;
    }
    const copy = free.shift()!;
    runner.cache.copyRow(row, copy, count);
    return copy;
  });
}
