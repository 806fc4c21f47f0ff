// Mean and deviation of rewards, over one request or over all of a run.
import type { RewardState } from '@lmflow/sdk';

/** Number, mean and sum of squared differences from it: what can be merged exactly. */
export type Moments = RewardState[string];

export const NO_MOMENTS: Moments = { count: 0, mean: 0, squares: 0 };

/** Of the values that are there. */
export function momentsOf(values: readonly (number | null)[]): Moments {
  const known = values.filter((value) => value !== null);
  const mean = known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { count: known.length, mean, squares };
}

/** Of both together (Chan et al. 1979). */
export function merged(one: Moments, other: Moments): Moments {
  const count = one.count + other.count;
  if (count === 0) return NO_MOMENTS;
  const step = other.mean - one.mean;
  return {
    count,
    mean: one.mean + (step * other.count) / count,
    squares: one.squares + other.squares + (step ** 2 * one.count * other.count) / count,
  };
}

/** The deviation that divides by n - 1; 0 of fewer than two numbers. */
export function deviation({ count, squares }: Moments): number {
  return count < 2 ? 0 : Math.sqrt(squares / (count - 1));
}

/** Less the mean, divided by the deviation; equal values become 0. */
export function normalized(
  values: readonly (number | null)[],
  mean: number,
  std: number,
): (number | null)[] {
  const divisor = std > 0 ? std : 1;
  return values.map((value) => (value === null ? null : (value - mean) / divisor));
}
