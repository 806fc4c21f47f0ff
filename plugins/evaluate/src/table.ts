// The results as a table, which is Markdown and reads well in a terminal too.
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
  const widths = HEAD.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return [line(HEAD), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('');
}
