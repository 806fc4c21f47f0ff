// Runs a beam search on a model: each beam has a row of the cache, and a beam with several children
// is copied. Which beams continue is decided in beam-search.ts.
import { setImmediate } from 'node:timers/promises';
import type { StepRunner } from '../decode/step-runner.ts';
import type { LogitsProcessor } from '../sampling/processor.ts';
import type { DecodingConfig } from '../decoding-config.ts';
import { BeamSearch, type Beam } from './beam-search.ts';

/** One prompt to search an answer for. */
export interface BeamRequest {
  readonly prompt: Int32Array;
  readonly config: DecodingConfig;
  /** Changes the log-probabilities of each beam: the taps of onLogits. */
  readonly process: LogitsProcessor | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Decodes one prompt; returns numReturnSequences beams, best first, and whether the signal stopped
 * the search.
 */
export async function decodeBeams(
  runner: StepRunner,
  { prompt, config, process, signal }: BeamRequest,
): Promise<{ readonly beams: readonly Beam[]; readonly aborted: boolean }> {
  const search = new BeamSearch(config, prompt, process);
  const { numBeams, numReturnSequences } = config;
  try {
    runner.reserve(numBeams, prompt.length, () => 0);
    search.advance([await runner.read({ row: 0, ids: prompt, at: 0 })]);
    let rows = [0];
    for (let at = prompt.length; !search.done && signal?.aborted !== true; at++) {
      runner.reserve(numBeams, at + 1, () => at);
      rows = assignRows(runner, search.running, rows, at);
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

/** The row of each beam: a first child keeps its parent's, others get a copy in a free row. */
function assignRows(
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
