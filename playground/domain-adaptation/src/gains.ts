// The table of the demo: both models beside the level of chance.
import type { Comparison } from '@lmflow/plugin-evaluate';

/** Percent right before and after; gains with paired bootstrap intervals over the questions. */
export function gainTable({ tasks }: Comparison, chance: Readonly<Record<string, number>>): string {
  const rows = tasks.map(({ task, records, metrics }) => {
    const { values, differences } = metrics['acc']!;
    const [before, after] = values;
    const { value, low, high } = differences[0]!;
    return [
      task,
      String(records),
      percent(chance[task]!),
      percent(before!.value),
      percent(after!.value),
      signed(value),
      `${signed(low)} to ${signed(high)}`,
    ];
  });
  const head = ['Set', 'Questions', 'Chance', 'Before', 'After', 'Gain', '95 % interval'];
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at]!.length)));
  return [head, ...rows]
    .map((row) => `  ${row.map((text, at) => text.padEnd(widths[at]!)).join('  ')}`.trimEnd())
    .join('\n');
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  return `${share < 0 ? '' : '+'}${percent(share)}`;
}
