// How sure a difference is: the paired bootstrap. Records are drawn with replacement, the same ones
// for both sides, and the figures of the whole are taken anew.
import { randomStream } from '@lmflow/sdk';
import { taskValue, type RecordFigure } from '../metrics.ts';

/** Part of the resamples whose differences lie inside the interval. */
export const CONFIDENCE = 0.95;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** How resamples are drawn. */
export interface Resampling {
  readonly resamples: number;
  readonly seed: number;
}

/**
 * Interval of a metric's difference, other - first, by percentiles. Figures are in the order of the
 * records, which is the same on both sides.
 */
export function differenceInterval(
  metric: string,
  first: readonly RecordFigure[],
  other: readonly RecordFigure[],
  resampling: Resampling,
): Interval {
  return intervalOf(resampledDifferences(metric, first, other, resampling));
}

/** The difference of each resample. `stream`: figures of one stream are drawn alike. */
export function resampledDifferences(
  metric: string,
  first: readonly RecordFigure[],
  other: readonly RecordFigure[],
  { resamples, seed, stream = '' }: Resampling & { readonly stream?: string },
): Float64Array {
  const count = first.length;
  const random = randomStream(seed, `paired bootstrap ${stream}`.trimEnd());
  const drawn = [new Array<RecordFigure>(count), new Array<RecordFigure>(count)] as const;
  const differences = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    for (let at = 0; at < count; at++) {
      const from = Math.floor(random.uniform(resample * count + at) * count);
      drawn[0][at] = first[from]!;
      drawn[1][at] = other[from]!;
    }
    differences[resample] = taskValue(metric, drawn[1]) - taskValue(metric, drawn[0]);
  }
  return differences;
}

/** Where the middle of differences lies. */
export function intervalOf(differences: Float64Array): Interval {
  const sorted = differences.toSorted();
  const tail = (1 - CONFIDENCE) / 2;
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/** Between the two nearest of sorted numbers, as NumPy's default. */
function quantile(sorted: Float64Array, part: number): number {
  const place = part * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}
