// The rewards of the rounds as an SVG: mean, best of K, selected, held out and gold over the rounds.
import type { RoundFigures } from './figures.ts';

const [WIDTH, HEIGHT] = [720, 400];
const PLOT = { left: 64, right: WIDTH - 150, top: 44, bottom: HEIGHT - 44 };
const COLOURS = ['#0969da', '#1a7f37', '#8250df', '#bc4c00', '#cf222e', '#9a6700', '#57606a'];

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [round: number, value: number])[];
}

/** The whole SVG. */
export function roundChart(rounds: readonly RoundFigures[]): string {
  const line = (name: string, of: (round: RoundFigures) => number | undefined): Line => ({
    name,
    points: rounds.flatMap((round) => {
      const value = of(round);
      return value === undefined || !Number.isFinite(value) ? [] : [[round.round, value] as const];
    }),
  });
  const lines = [
    line('mean of all', ({ reward }) => reward),
    line('best of K', ({ rewardBest }) => rewardBest),
    line('selected', ({ rewardSelected }) => rewardSelected),
    line('held out', ({ heldOut }) => heldOut),
    ...Object.keys(rounds[0]?.gold ?? {}).map((name) => line(name, ({ gold }) => gold[name])),
  ].filter(({ points }) => points.length > 0);
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const [low, high] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const last = Math.max(2, ...rounds.map(({ round }) => round));
  const x = (round: number): number =>
    PLOT.left + ((round - 1) / (last - 1)) * (PLOT.right - PLOT.left);
  const y = (value: number): number =>
    PLOT.bottom - ((value - low) / (high - low || 1)) * (PLOT.bottom - PLOT.top);
  const marks = [low, (low + high) / 2, high];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
      'aria-label="rewards of the rounds" font-family="system-ui, sans-serif" font-size="12">',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${PLOT.left}" y="26" font-size="15">rewards of the rounds</text>`,
    ...marks.map(
      (value) =>
        `<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${at(y(value))}" y2="${at(y(value))}" ` +
        `stroke="#d8dee4"/><text x="${PLOT.left - 8}" y="${at(y(value) + 4)}" ` +
        `text-anchor="end">${Number(value.toPrecision(3))}</text>`,
    ),
    ...[1, last].map(
      (round) =>
        `<text x="${at(x(round))}" y="${PLOT.bottom + 20}" text-anchor="middle">${round}</text>`,
    ),
    `<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">round</text>`,
    ...lines.map(({ name, points }, index) => {
      const colour = COLOURS[index % COLOURS.length]!;
      const path = points.map(([round, value]) => `${at(x(round))} ${at(y(value))}`).join('L');
      const dots = points.map(
        ([round, value]) =>
          `<circle cx="${at(x(round))}" cy="${at(y(value))}" r="3" fill="${colour}"/>`,
      );
      return (
        `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}` +
        `<text x="${PLOT.right + 12}" y="${PLOT.top + 18 * index}" fill="${colour}">` +
        `${escape(name)}</text>`
      );
    }),
    '</svg>\n',
  ].join('\n');
}

const at = (pixel: number): string => String(Math.round(pixel * 10) / 10);
const escape = (text: string): string =>
  text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
