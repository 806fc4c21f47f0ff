// What groups of tasks gave: lm-evaluation-harness' means and standard errors, and averages of
// different figures as leaderboards have them.
import type { GroupResult, TaskGroup } from './group-file.ts';
import type { TaskFigure } from './metrics.ts';
import type { TaskResult } from './results.ts';

/** The figures of groups whose tasks were evaluated. */
export function groupResults(
  groups: readonly TaskGroup[],
  results: readonly TaskResult[],
): GroupResult[] {
  return groups.map((group) => {
    const names = [...new Set(group.members.flatMap((one) => one.names))];
    const own = results.filter(({ task }) => names.includes(task));
    const metrics: Record<string, TaskFigure> = {};
    for (const { metric, weightBySize } of group.metrics) {
      const readings = own.flatMap((one) =>
        Object.keys(one.metrics).filter((name) => name.split(',')[0] === metric),
      );
      for (const name of new Set(readings)) metrics[name] = meanOf(name, own, weightBySize);
    }
    if (group.average) metrics['average'] = averageOf(group, own);
    const records = own.reduce((sum, one) => sum + one.records.effective, 0);
    return { group: group.group, version: group.version, tasks: names, records, metrics };
  });
}

/** Over the tasks that have the figure. */
function meanOf(name: string, results: readonly TaskResult[], weightBySize: boolean): TaskFigure {
  const own = results.filter(({ metrics }) => name in metrics);
  const figures = own.map(({ metrics }) => metrics[name]!);
  const sizes = own.map(({ records }) => records.effective);
  const weights = weightBySize ? sizes : sizes.map(() => 1);
  const total = sumOf(weights);
  const value = sumOf(figures.map((one, at) => one.value * weights[at]!)) / total;
  const errors = figures.flatMap(({ stderr }) => stderr ?? []);
  if (errors.length < figures.length) return { value };
  const squares = errors.map((one) => one ** 2);
  if (!weightBySize) return { value, stderr: Math.sqrt(sumOf(squares)) / squares.length };
  // the variance of all records, pooled
  const pooled =
    sumOf(squares.map((one, at) => (sizes[at]! - 1) * one * sizes[at]!)) / (total - sizes.length);
  return { value, stderr: Math.sqrt(pooled / total) };
}

/** Each member counts as much. */
function averageOf({ members }: TaskGroup, results: readonly TaskResult[]): TaskFigure {
  const figures = members.map(({ names, metric = '' }) =>
    meanOf(
      metric,
      results.filter(({ task }) => names.includes(task)),
      false,
    ),
  );
  const value = sumOf(figures.map((one) => one.value)) / figures.length;
  const errors = figures.flatMap(({ stderr }) => stderr ?? []);
  if (errors.length < figures.length) return { value };
  return { value, stderr: Math.sqrt(sumOf(errors.map((one) => one ** 2))) / errors.length };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}
