// Streams of records put together: a part of a source by seed, several sources one after another or
// mixed by weight, the first n.
import { randomStream, type DatasetRecord } from '@lmflow/sdk';
import * as errors from '../errors.ts';

/** A stream of records that can be read again from the start. */
export type Records = () => AsyncIterable<DatasetRecord>;

/** A stream with its length, as far as known, and its share in a mix. */
export interface Part {
  readonly name: string;
  readonly weight: number | undefined;
  readonly records: Records;
}

/**
 * Which records of a source are kept for evaluation: the first `count` of `randomStream(seed,
 * 'split').permutation(total)`. Both sides keep the order of the file.
 */
export function heldOut(total: number, count: number, seed: number): ReadonlySet<number> {
  return new Set(randomStream(seed, 'split').permutation(total).subarray(0, count));
}

/**
 * How many records each source gives to evaluation. A fraction: round(fraction x records) of each,
 * at least one of all. A number: shared in proportion to the sizes by largest remainder. Throws
 * LMFLOW_DATASET_SPLIT where one side would be left without records.
 */
export function splitCounts(name: string, totals: readonly number[], split: number): number[] {
  const all = totals.reduce((sum, total) => sum + total, 0);
  const wanted = split < 1 ? Math.max(1, Math.round(split * all)) : split;
  if (all < 2 || wanted >= all) throw errors.splitTooSmall(name, all, split);
  const exact = totals.map((total) => (wanted * total) / all);
  const counts = exact.map(Math.floor);
  const byRemainder = exact
    .map((value, index) => [value - counts[index]!, index] as const)
    .sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  let left = wanted - counts.reduce((sum, count) => sum + count, 0);
  for (const [, index] of byRemainder) if (left-- > 0) counts[index]!++;
  return counts;
}

/** The records whose index is in `chosen` (or is not, with `inverse`). */
export function pick(records: Records, chosen: ReadonlySet<number>, inverse = false): Records {
  return async function* () {
    let index = 0;
    for await (const record of records()) if (chosen.has(index++) !== inverse) yield record;
  };
}

/** The first `limit` records. */
export function take(records: Records, limit: number | undefined): Records {
  if (limit === undefined) return records;
  return async function* () {
    let left = limit;
    for await (const record of records()) {
      yield record;
      if (--left === 0) return;
    }
  };
}

/** One part after another. */
export function concatenate(parts: readonly Part[]): Records {
  return async function* () {
    for (const part of parts) yield* part.records();
  };
}

/**
 * Parts mixed in proportion to their weights: record i comes from the part that `randomStream(seed,
 * 'mix').uniform(i)` falls on, each part in its own order. `allExhausted` goes on until every part
 * was seen whole, starting ended parts again; `firstExhausted` ends with the first. A text that
 * comes in parts is kept together.
 */
export function mix(
  parts: readonly Part[],
  seed: number,
  stop: 'allExhausted' | 'firstExhausted',
): Records {
  const weights = parts.map((part) => part.weight ?? 1);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return async function* () {
    const random = randomStream(seed, 'mix');
    const begin = (part: Part): AsyncIterator<DatasetRecord> =>
      part.records()[Symbol.asyncIterator]();
    const open = parts.map(begin);
    const seen = parts.map(() => false);
    try {
      const next = await Promise.all(open.map((iterator) => iterator.next()));
      if (next.some((first) => first.done)) {
        throw errors.empty(parts[next.findIndex((first) => first.done)]!.name);
      }
      for (let draw = 0; ; draw++) {
        const chosen = choose(weights, random.uniform(draw) * sum);
        let record: DatasetRecord;
        do {
          record = next[chosen]!.value as DatasetRecord;
          yield record;
          next[chosen] = await open[chosen]!.next();
        } while (isUnfinished(record) && !next[chosen].done);
        if (!next[chosen].done) continue;
        seen[chosen] = true;
        if (stop === 'firstExhausted' || seen.every(Boolean)) return;
        open[chosen] = begin(parts[chosen]!);
        next[chosen] = await open[chosen].next();
      }
    } finally {
      for (const iterator of open) await iterator.return?.();
    }
  };
}

const isUnfinished = (record: DatasetRecord): boolean =>
  record.kind === 'text' && (record.part === 'first' || record.part === 'middle');

function choose(weights: readonly number[], point: number): number {
  let left = point;
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return index;
  }
  return weights.length - 1;
}
