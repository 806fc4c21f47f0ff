// A comparison as a table: sides beside each other, with what is between the first and each other.
import { markdownTable } from '../markdown-table.ts';
import { CONFIDENCE } from './bootstrap.ts';
import type { ComparedGroup } from './compared-groups.ts';
import type { ComparedTask } from './compared-task.ts';
import type { Comparison } from './comparison.ts';

/** A row for each metric of each task, then of each group; a legend says which letter is which side. */
export function comparisonTable({ sides, tasks, groups, resamples, seed }: Comparison): string {
  const letters = sides.map((_, at) => letterOf(at));
  const [first, ...others] = letters as [string, ...string[]];
  const percent = `${100 * CONFIDENCE} %`;
  const head = [
    'Task',
    'Records',
    'Metric',
    first,
    ...others.flatMap((letter) => [
      letter,
      `${letter} - ${first}`,
      `${percent} interval`,
      'Better/worse',
      'Other answers',
    ]),
  ];
  return [
    ...letters.map((letter, at) => `${letter}: ${sides[at]}\n`),
    '\n',
    markdownTable(head, [...tasks.flatMap(rowsOf), ...groups.flatMap(groupRowsOf)]),
    '\n',
    `Intervals: paired bootstrap over records, ${resamples} resamples, seed ${seed}.\n`,
  ].join('');
}

function rowsOf({ task, records, metrics, answeredDifferently }: ComparedTask): string[][] {
  return Object.entries(metrics).map(([metric, { values, differences }], row) => [
    ...(row === 0 ? [task, String(records)] : ['', '']),
    metric,
    values[0]!.value.toFixed(4),
    ...differences.flatMap(({ value, low, high, better, worse }, at) => {
      const answers = answeredDifferently[at];
      return [
        values[at + 1]!.value.toFixed(4),
        signed(value),
        Number.isNaN(low) ? '' : `${signed(low)} to ${signed(high)}`,
        Number.isNaN(better) ? '' : `${better}/${worse}`,
        answers === null || answers === undefined || row > 0 ? '' : String(answers),
      ];
    }),
  ]);
}

function groupRowsOf({ group, records, metrics }: ComparedGroup): string[][] {
  return Object.entries(metrics).map(([metric, { values, differences }], row) => [
    ...(row === 0 ? [group, String(records)] : ['', '']),
    metric,
    values[0]!.toFixed(4),
    ...differences.flatMap(({ value, low, high }, at) => [
      values[at + 1]!.toFixed(4),
      signed(value),
      `${signed(low)} to ${signed(high)}`,
      '',
      '',
    ]),
  ]);
}

function signed(value: number): string {
  const text = value.toFixed(4);
  return value >= 0 ? `+${text}` : text;
}

/** A, B, ..., Z, A2, B2, ... */
function letterOf(at: number): string {
  const letter = String.fromCodePoint(65 + (at % 26));
  return at < 26 ? letter : `${letter}${Math.floor(at / 26) + 1}`;
}
