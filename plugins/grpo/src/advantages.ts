// Advantages: how much better an answer is than the other answers to its prompt. On the host, in
// float64; null is a reward that does not apply.
import { deviationOf, meanOf } from '@lmflow/sdk';

/** A reward, or null where none applies. */
export type Reward = number | null;

/** Added to standard deviations, as in TRL. */
const EPSILON = 1e-4;
/** Below this a standard deviation counts as 0. */
const NONE = 1e-8;

/** Advantages, and whether there was anything to learn from. */
export interface Advantages {
  /** One for each answer; 0 where it has no reward. */
  readonly advantages: Float64Array;
  /** Share of groups (of the whole where that is normalised) whose rewards are all the same. */
  readonly zeroStd: number;
}

/** Standard deviation of a sample (n - 1) of those that apply; NaN where fewer than two do. */
export function stdOf(values: readonly Reward[]): number {
  const known = values.filter((value) => value !== null);
  return known.length < 2 ? NaN : deviationOf(known);
}

/** Weighted sums of each answer's rewards [answers][functions]; null where none applies. */
export function totalsOf(
  rewards: readonly (readonly Reward[])[],
  weights: readonly number[],
): Reward[] {
  return rewards.map((row) =>
    row.every((reward) => reward === null)
      ? null
      : row.reduce<number>((sum, reward, place) => sum + weights[place]! * (reward ?? 0), 0),
  );
}

/** What the differences within a group are divided by: its own deviation, that of all, nothing. */
export type Scaling = 'group' | 'batch' | 'none';

/** (r - mean) / (std + 1e-4) within each group (Shao et al. 2024). */
export function groupAdvantages(
  totals: readonly Reward[],
  groupSize: number,
  scaling: Scaling,
): Advantages {
  const ofAll = stdOf(totals);
  const groups = groupsOf(totals, groupSize);
  const stds = groups.map((group) => (scaling === 'batch' ? ofAll : stdOf(group)));
  return {
    advantages: flatten(
      groups.map((group, index) => {
        const mean = meanOf(group);
        const by = scaling === 'none' ? 1 : stds[index]! + EPSILON;
        return group.map((reward) => numberOr0(reward === null ? NaN : (reward - mean) / by));
      }),
    ),
    zeroStd: shareOf(stds, (std) => std <= NONE),
  };
}

/**
 * Each function's rewards are normalised within the groups, the weighted sums over all (GDPO, Liu et
 * al. 2026): a function of large numbers does not drown the others.
 */
export function separateAdvantages(
  rewards: readonly (readonly Reward[])[],
  weights: readonly number[],
  groupSize: number,
): Advantages {
  const normalised = rewards.map((row) => [...row]);
  for (const place of weights.keys()) {
    const column = rewards.map((row) => row[place]!);
    for (const [index, group] of groupsOf(column, groupSize).entries()) {
      const [mean, std] = [meanOf(group), stdOf(group)];
      group.forEach((reward, member) => {
        const value = reward === null ? NaN : (reward - mean) / (std + EPSILON);
        normalised[index * groupSize + member]![place] = Number.isNaN(value) ? null : value;
      });
    }
  }
  // an answer that has rewards, all of them alone in their groups, is as good as the mean
  const sums = totalsOf(normalised, weights).map((sum, index) =>
    rewards[index]!.every((reward) => reward === null) ? null : (sum ?? 0),
  );
  const [mean, std] = [meanOf(sums), stdOf(sums)];
  return {
    advantages: Float64Array.from(sums, (sum) =>
      numberOr0(sum === null ? NaN : (sum - mean) / (std + EPSILON)),
    ),
    zeroStd: Number(std <= NONE),
  };
}

/** r - mean of the other answers to the prompt (RLOO, Ahmadian et al. 2024). */
export function leaveOneOut(
  totals: readonly Reward[],
  groupSize: number,
  { normalise }: { readonly normalise: boolean },
): Advantages {
  const groups = groupsOf(totals, groupSize);
  const gains = groups.flatMap((group) => {
    const known = group.filter((reward) => reward !== null);
    const sum = known.reduce((total, reward) => total + reward, 0);
    return group.map((reward) =>
      reward === null || known.length < 2 ? null : reward - (sum - reward) / (known.length - 1),
    );
  });
  const [mean, std] = [meanOf(gains), stdOf(gains)];
  return {
    advantages: Float64Array.from(gains, (gain) =>
      numberOr0(gain === null || !normalise ? (gain ?? NaN) : (gain - mean) / (std + EPSILON)),
    ),
    zeroStd: shareOf(
      groups.map((group) => stdOf(group)),
      (std) => std <= NONE,
    ),
  };
}

function groupsOf(values: readonly Reward[], size: number): Reward[][] {
  return Array.from({ length: values.length / size }, (_, group) =>
    values.slice(group * size, (group + 1) * size),
  );
}

function flatten(groups: readonly (readonly number[])[]): Float64Array {
  return Float64Array.from(groups.flat());
}

const numberOr0 = (value: number): number => (Number.isNaN(value) ? 0 : value);

function shareOf<T>(values: readonly T[], holds: (value: T) => boolean): number {
  return values.length === 0 ? 0 : values.filter(holds).length / values.length;
}
