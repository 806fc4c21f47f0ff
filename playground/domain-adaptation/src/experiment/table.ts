// The table: means and deviations over seeds, and paired bootstrap intervals over questions.
import { randomStream } from '@lmflow/sdk';
import { table } from '@lmflow/playground-default-model/runs';
import type { Scores } from './run.ts';
import { CHANCE, TEXTS } from './rows.ts';

const RESAMPLES = 10_000;

/** One test set of one row, in percent. */
interface Cell {
  readonly mean: number;
  /** Standard deviation over seeds; absent with one. */
  readonly deviation?: number;
  /** The difference from the base, with the ends of its 95 % interval over questions. */
  readonly gain?: readonly [value: number, low: number, high: number];
}

/** By set; `blind` ones, near and mixed options are sets of their own. */
export type Cells = Readonly<Record<string, Cell>>;

/** The answers of a row's seeds, and of the base: the same questions in the same order. */
function cell(seeds: readonly (readonly number[])[], base?: readonly number[]): Cell {
  const means = seeds.map(average);
  const mean = average(means);
  const deviation =
    seeds.length > 1
      ? Math.sqrt(means.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (seeds.length - 1))
      : undefined;
  const perQuestion = seeds[0]!.map((_, at) => average(seeds.map((answers) => answers[at]!)));
  return {
    mean: 100 * mean,
    ...(deviation === undefined ? {} : { deviation: 100 * deviation }),
    ...(base === undefined ? {} : { gain: pairedGain(perQuestion, base) }),
  };
}

/** The same questions are drawn for both. */
function pairedGain(
  answers: readonly number[],
  base: readonly number[],
): [value: number, low: number, high: number] {
  const gains = answers.map((one, at) => 100 * (one - base[at]!));
  const stream = randomStream(42, 'paired bootstrap');
  const drawn = Array.from({ length: RESAMPLES }, (_, resample) => {
    let sum = 0;
    for (let at = 0; at < gains.length; at++) {
      sum += gains[Math.floor(stream.uniform(resample * gains.length + at) * gains.length)]!;
    }
    return sum / gains.length;
  }).sort((a, b) => a - b);
  const quantile = (share: number): number => drawn[Math.round(share * (RESAMPLES - 1))]!;
  return [average(gains), quantile(0.025), quantile(0.975)];
}

/** Every figure of a row. `parts` says which questions of a set are near, and which mixed. */
export function rowCells(
  seeds: readonly Scores[],
  base: Scores,
  parts: Readonly<Record<string, readonly (string | undefined)[]>>,
): Cells {
  const isBase = seeds[0] === base;
  const cells: Record<string, Cell> = {};
  for (const set of Object.keys(CHANCE)) {
    const own = isBase ? undefined : base.answers[set];
    cells[set] = cell(
      seeds.map(({ answers }) => answers[set]!),
      own,
    );
    for (const part of ['near', 'mixed']) {
      const only = (list: readonly number[]): number[] =>
        list.filter((_, at) => parts[set]?.[at] === part);
      if (only(base.answers[set]!).length === 0) continue;
      const answers = seeds.map((seed) => only(seed.answers[set]!));
      cells[`${set} ${part}`] = cell(answers, own && only(own));
    }
    if (base.blind[set]) cells[`${set} blind`] = cell(seeds.map(({ blind }) => blind[set]!));
  }
  for (const text of TEXTS) {
    cells[text] = { mean: average(seeds.map(({ bitsPerByte }) => bitsPerByte[text]!)) };
  }
  return cells;
}

/** Markdown: a line a row, then the same for near and mixed options and for answers alone. */
export function asMarkdown(rows: Readonly<Record<string, Cells>>): string {
  const sets = Object.keys(CHANCE);
  const parts = Object.keys(rows['base']!).filter((name) => / (?:near|mixed|blind)$/.test(name));
  return [
    'Percent right, mean ± deviation over seeds; in brackets the gain over base and its 95 %',
    'interval (paired bootstrap over questions). The texts are in bits per byte.\n',
    markdownTable([...sets, ...TEXTS], rows, CHANCE),
    'By options (near: all answers of one kind; mixed: two and two), and by the answers without',
    'their question (blind):\n',
    markdownTable(parts, rows, {}),
  ].join('\n');
}

function markdownTable(
  columns: readonly string[],
  rows: Readonly<Record<string, Cells>>,
  chance: Readonly<Record<string, number>>,
): string {
  const known = columns.map((name) => (name in chance ? (100 * chance[name]!).toFixed(1) : ''));
  const lines = Object.entries(rows).map(([name, cells]) => [
    name,
    ...columns.map((column) => cellText(column, cells[column]!)),
  ]);
  const first = known.some((text) => text !== '') ? [['chance', ...known]] : [];
  return `${table(['', ...columns], [...first, ...lines])}\n`;
}

function cellText(column: string, { mean, deviation, gain }: Cell): string {
  if (column.startsWith('text_')) return mean.toFixed(3);
  const spread = deviation === undefined ? '' : ` ± ${deviation.toFixed(1)}`;
  if (gain === undefined) return `${mean.toFixed(1)}${spread}`;
  const [value, low, high] = gain.map((one) => (one < 0 ? '' : '+') + one.toFixed(1));
  return `${mean.toFixed(1)}${spread} (${value!}: ${low!} to ${high!})`;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
