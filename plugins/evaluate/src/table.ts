// The results as a table.
import type { GroupResult } from './group-file.ts';
import { markdownTable } from './markdown-table.ts';
import type { TaskResult } from './results.ts';

const HEAD = ['Task', 'Version', 'Shots', 'Records', 'Metric', 'Value', 'Stderr'];

/** A row for each metric of each task, then of each group. */
export function resultTable(
  results: readonly TaskResult[],
  groups: readonly GroupResult[] = [],
): string {
  const tasks = results.flatMap(({ task, version, shots, records, metrics }) =>
    rowsOf([task, String(version), String(shots), String(records.effective)], metrics),
  );
  const sums = groups.flatMap(({ group, version, records, metrics }) =>
    rowsOf([group, String(version), '', String(records)], metrics),
  );
  return markdownTable(HEAD, [...tasks, ...sums]);
}

function rowsOf(begin: readonly string[], metrics: TaskResult['metrics']): string[][] {
  return Object.entries(metrics).map(([metric, { value, stderr }], at) => [
    ...(at === 0 ? begin : begin.map(() => '')),
    metric,
    value.toFixed(4),
    stderr === undefined ? 'N/A' : `± ${stderr.toFixed(4)}`,
  ]);
}
