// The results as a table.
import { markdownTable } from './markdown-table.ts';
import type { TaskResult } from './results.ts';

const HEAD = ['Task', 'Version', 'Shots', 'Records', 'Metric', 'Value', 'Stderr'];

/** A row for each metric of each task. */
export function resultTable(results: readonly TaskResult[]): string {
  const rows = results.flatMap(({ task, version, shots, records, metrics }) =>
    Object.entries(metrics).map(([metric, { value, stderr }], at) => [
      ...(at === 0
        ? [task, String(version), String(shots), String(records.effective)]
        : ['', '', '', '']),
      metric,
      value.toFixed(4),
      stderr === undefined ? 'N/A' : `± ${stderr.toFixed(4)}`,
    ]),
  );
  return markdownTable(HEAD, rows);
}
