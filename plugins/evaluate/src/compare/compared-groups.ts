// Groups of a comparison: their means on all sides, and intervals of the differences for which each
// task's records are drawn apart from the others'.
import type { TaskGroup } from '../group-file.ts';
import { intervalOf, resampledDifferences, type Resampling } from './bootstrap.ts';
import type { ComparableSide, ComparedTask } from './compared-task.ts';

/** One group on all sides. */
export interface ComparedGroup {
  readonly group: string;
  readonly tasks: readonly string[];
  readonly records: number;
  readonly metrics: Readonly<Record<string, ComparedMean>>;
}

/** A mean over tasks on all sides. */
export interface ComparedMean {
  /** Of each side. */
  readonly values: readonly number[];
  /** Of each further side: less the first side's, with the ends of its 95 % interval. */
  readonly differences: readonly {
    readonly value: number;
    readonly low: number;
    readonly high: number;
  }[];
}

/** A task's figure in a group's mean. */
interface Part {
  readonly task: string;
  readonly metric: string;
  /** Of all parts together 1. */
  readonly weight: number;
}

/** Groups all of whose tasks are compared. */
export function compareGroups(
  groups: readonly TaskGroup[],
  compared: readonly ComparedTask[],
  by: { readonly sides: readonly ComparableSide[]; readonly resampling: Resampling },
): ComparedGroup[] {
  const tasks = new Map(compared.map((one) => [one.task, one]));
  return groups.flatMap((group) => {
    const names = [...new Set(group.members.flatMap((one) => one.names))];
    if (!names.every((name) => tasks.has(name))) return [];
    const own = names.map((name) => tasks.get(name)!);
    const metrics = Object.entries(partsOf(group, own)).map(
      ([name, parts]) => [name, compareMean(parts, tasks, by)] as const,
    );
    if (metrics.length === 0) return [];
    const records = own.reduce((sum, one) => sum + one.records, 0);
    return [{ group: group.group, tasks: names, records, metrics: Object.fromEntries(metrics) }];
  });
}

/** What each mean is made of: the weights of ../group-results.ts. */
function partsOf(
  { metrics, average, members }: TaskGroup,
  tasks: readonly ComparedTask[],
): Record<string, Part[]> {
  const found: Record<string, Part[]> = {};
  for (const { metric, weightBySize } of metrics) {
    const readings = tasks.flatMap((one) =>
      Object.keys(one.metrics).filter((name) => name.split(',')[0] === metric),
    );
    for (const name of new Set(readings)) {
      const own = tasks.filter((one) => name in one.metrics);
      const sizes = own.map(({ records }) => (weightBySize ? records : 1));
      const total = sizes.reduce((sum, size) => sum + size, 0);
      found[name] = own.map(({ task }, at) => ({ task, metric: name, weight: sizes[at]! / total }));
    }
  }
  const averaged = members.flatMap(({ names, metric = '' }) =>
    names.map((task) => ({ task, metric, weight: 1 / (members.length * names.length) })),
  );
  const has = ({ task, metric }: Part): boolean =>
    metric in (tasks.find((one) => one.task === task)?.metrics ?? {});
  if (average && averaged.every(has)) found['average'] = averaged;
  return found;
}

function compareMean(
  parts: readonly Part[],
  tasks: ReadonlyMap<string, ComparedTask>,
  { sides, resampling }: Parameters<typeof compareGroups>[2],
): ComparedMean {
  const values = sides.map((_, side) =>
    parts.reduce(
      (sum, { task, metric, weight }) =>
        sum + weight * tasks.get(task)!.metrics[metric]!.values[side]!.value,
      0,
    ),
  );
  const [first, ...others] = sides as readonly [ComparableSide, ...ComparableSide[]];
  const differences = others.map((other, at) => {
    const summed = new Float64Array(resampling.resamples);
    for (const { task, metric, weight } of parts) {
      const figures = [first, other].map((side) =>
        side.tasks.find((one) => one.task === task)!.documents.map((one) => one.figures[metric]!),
      );
      const own = resampledDifferences(metric.split(',')[0]!, figures[0]!, figures[1]!, {
        ...resampling,
        stream: task,
      });
      for (const [resample, difference] of own.entries()) {
        summed[resample] = summed[resample]! + weight * difference;
      }
    }
    return { value: values[at + 1]! - values[0]!, ...intervalOf(summed) };
  });
  return { values, differences };
}
