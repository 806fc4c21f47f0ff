// A line chart as SVG, linear axes from zero. For the documentation's figures.
export type Line = readonly [name: string, points: readonly (readonly [x: number, y: number])[]];

const [width, height, left, bottom, top, right] = [640, 360, 64, 40, 40, 90];
const COLOURS = ['#1668b8', '#c2410c', '#15803d', '#7c3aed'];

/** The chart's SVG text. */
export function plot(title: string, axis: string, lines: readonly Line[]): string {
  const points = lines.flatMap(([, line]) => line);
  const [farthest, highest] = [0, 1].map((index) =>
    Math.max(1, ...points.map((point) => point[index]!)),
  ) as [number, number];
  const x = (value: number): number => left + (value / farthest) * (width - left - right);
  const y = (value: number): number =>
    height - bottom - (value / highest) * (height - bottom - top);
  const text = (
    content: string,
    at: readonly [number, number],
    anchor = 'middle',
    fill = '#444',
  ): string =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" text-anchor="${anchor}" fill="${fill}">${content}</text>`;
  const ticks = Array.from({ length: 5 }, (_, index) => index / 4);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(title, [width / 2, 22], 'middle', '#111'),
    ...ticks.flatMap((part) => {
      const level = y(part * highest);
      return [
        `<line x1="${left}" x2="${width - right}" y1="${level.toFixed(1)}" y2="${level.toFixed(1)}" stroke="#ddd"/>`,
        text(Math.round(part * highest).toLocaleString('en'), [left - 8, level + 4], 'end'),
        text(Math.round(part * farthest).toLocaleString('en'), [
          x(part * farthest),
          height - bottom + 18,
        ]),
      ];
    }),
    text(axis, [(left + width - right) / 2, height - 5]),
    ...lines.flatMap(([name, line], index) => {
      const colour = COLOURS[index % COLOURS.length]!;
      const last = line.at(-1);
      const dots = line.map(
        ([px, py]) =>
          `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${colour}"/>`,
      );
      return [
        `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${line.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ')}"/>`,
        ...dots,
        ...(last ? [text(name, [x(last[0]) + 8, y(last[1]) + 4], 'start', colour)] : []),
      ];
    }),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}
