// The loss curve as an SVG document: training loss as logged and smoothed, evaluation loss,
// labelled axes, colours for light and dark pages.
import type { LogEntry } from '../loop/run-state.ts';

interface Point {
  readonly x: number;
  readonly y: number;
}

const WIDTH = 720;
const HEIGHT = 400;
const PLOT = { left: 64, right: WIDTH - 20, top: 44, bottom: HEIGHT - 52 };

// Light colours first: renderers without media queries show them.
const STYLE = `
  .page { fill: #ffffff; }
  text { font: 12px system-ui, sans-serif; fill: #24292f; } .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: #d8dee4; } path { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .raw { stroke: #0969da; stroke-width: 1; opacity: 0.35; } .smooth { stroke: #0969da; }
  .evaluation { stroke: #bc4c00; } .dot { fill: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } text { fill: #e6edf3; } .grid { stroke: #30363d; }
    .raw, .smooth { stroke: #58a6ff; } .evaluation { stroke: #f0883e; } .dot { fill: #f0883e; }
  }`;

/** The whole SVG. Entries without a loss are left out. */
export function lossChart(log: readonly LogEntry[], title: string): string {
  const train = pointsOf(log, 'loss');
  const evaluation = pointsOf(log, 'eval_loss');
  const all = [...train, ...evaluation];
  const xs = ticks(0, Math.max(1, ...all.map(({ x }) => x)));
  const ys = ticks(
    Math.min(...all.map(({ y }) => y), Infinity),
    Math.max(...all.map(({ y }) => y), -Infinity),
  );
  const scaleX = (x: number): number =>
    PLOT.left + ((x - xs[0]!) / (xs.at(-1)! - xs[0]!)) * (PLOT.right - PLOT.left);
  const scaleY = (y: number): number =>
    PLOT.bottom - ((y - ys[0]!) / (ys.at(-1)! - ys[0]!)) * (PLOT.bottom - PLOT.top);
  const path = (points: readonly Point[], kind: string): string => {
    if (points.length === 0) return '';
    const places = points.map(({ x, y }) => `${at(scaleX(x))} ${at(scaleY(y))}`);
    return `<path class="${kind}" d="M${places.join('L')}"/>`;
  };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" ` +
      `height="${HEIGHT}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="page" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="title" x="${PLOT.left}" y="26">${escape(title)}</text>`,
    ...ys.map(
      (y) =>
        `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${at(scaleY(y))}" ` +
        `y2="${at(scaleY(y))}"/><text x="${PLOT.left - 8}" y="${at(scaleY(y) + 4)}" ` +
        `text-anchor="end">${label(y)}</text>`,
    ),
    ...xs.map(
      (x) =>
        `<line class="grid" x1="${at(scaleX(x))}" x2="${at(scaleX(x))}" y1="${PLOT.top}" ` +
        `y2="${PLOT.bottom}"/><text x="${at(scaleX(x))}" y="${PLOT.bottom + 18}" ` +
        `text-anchor="middle">${label(x)}</text>`,
    ),
    `<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 12}" text-anchor="middle">step</text>`,
    `<text transform="translate(18 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)" text-anchor="middle">loss</text>`,
    path(train, 'raw'),
    path(smoothed(train), 'smooth'),
    path(evaluation, 'evaluation'),
    ...evaluation.map(
      ({ x, y }) => `<circle class="dot" cx="${at(scaleX(x))}" cy="${at(scaleY(y))}" r="3"/>`,
    ),
    ...legend(evaluation.length > 0),
    '</svg>',
    '',
  ]
    .filter((line, index, lines) => line !== '' || index === lines.length - 1)
    .join('\n');
}

function pointsOf(log: readonly LogEntry[], key: string): Point[] {
  return log.flatMap((entry) =>
    entry[key] === undefined || !Number.isFinite(entry[key])
      ? []
      : [{ x: entry['step']!, y: entry[key] }],
  );
}

/** Exponential moving average, the smoother the more points there are (as LLaMA-Factory does). */
function smoothed(points: readonly Point[]): Point[] {
  const weight = 1.8 * (1 / (1 + Math.exp(-0.05 * points.length)) - 0.5);
  let last = points[0]?.y ?? 0;
  return points.map(({ x, y }) => ({ x, y: (last = last * weight + (1 - weight) * y) }));
}

/** About five round numbers around a range; never less than two. */
function ticks(low: number, high: number): number[] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const range = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(range / 5));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => range / size <= 6)!;
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

function legend(withEvaluation: boolean): string[] {
  const item = (x: number, kind: string, text: string): string =>
    `<path class="${kind}" d="M${x} 22h22"/><text x="${x + 28}" y="26">${text}</text>`;
  return [
    item(PLOT.right - (withEvaluation ? 210 : 90), 'smooth', 'training'),
    ...(withEvaluation ? [item(PLOT.right - 100, 'evaluation', 'evaluation')] : []),
  ];
}

const at = (pixel: number): string => String(Math.round(pixel * 10) / 10);
const label = (value: number): string => String(Number(value.toPrecision(6)));
const escape = (text: string): string =>
  text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
