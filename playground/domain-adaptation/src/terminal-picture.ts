// A terminal's lines as an SVG: they appear one after another, and earlier ones scroll away.

export interface ShownLine {
  readonly text: string;
  /** Since the start. */
  readonly seconds: number;
}

const COLUMNS = 100;
const ROWS = 36;
const LINE = 17;
const WIDTH = 860;
const MARGIN = 18;
/** A wait is shown no longer than this. */
const LONGEST_WAIT = 1.2;

/**
 * Lines of more than 100 characters are cut. Where nothing moves, the last 36 lines show, as they do
 * at the end.
 */
export function terminalPicture(lines: readonly ShownLine[]): string {
  const height = ROWS * LINE + 2 * MARGIN;
  const times: number[] = [];
  lines.forEach(({ seconds }, at) => {
    const wait = at === 0 ? 0 : seconds - lines[at - 1]!.seconds;
    times.push((times.at(-1) ?? 0) + Math.min(wait, LONGEST_WAIT));
  });
  const rows = lines.map(({ text }, at) => {
    const cut = text.length > COLUMNS ? `${text.slice(0, COLUMNS - 1)}…` : text;
    const y = MARGIN + (at + 1) * LINE - 4;
    return (
      `<text x="${MARGIN}" y="${y}" style="animation-delay:${times[at]!.toFixed(1)}s" ` +
      `xml:space="preserve">${escaped(cut)}</text>`
    );
  });
  const end = -Math.max(0, lines.length - ROWS) * LINE;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}">
<title>npm run demo, as it ran</title>
<style>
text { font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #d8dee9;
  animation: appear 0.01s backwards; }
.lines { transform: translateY(${end}px); animation: scroll ${times.at(-1)!.toFixed(1)}s step-end; }
@keyframes appear { from { opacity: 0 } to { opacity: 1 } }
@keyframes scroll {
${scrolling(times).join('\n')}
}
</style>
<clipPath id="screen"><rect y="${MARGIN}" width="${WIDTH}" height="${ROWS * LINE}"/></clipPath>
<rect width="${WIDTH}" height="${height}" rx="8" fill="#20242c"/>
<g clip-path="url(#screen)"><g class="lines">
${rows.join('\n')}
</g></g>
</svg>
`;
}

/** A keyframe for each time at which a line no longer fits. */
function scrolling(times: readonly number[]): string[] {
  const last = times.at(-1)!;
  const frames = new Map([['0', 0]]);
  times.forEach((time, at) => {
    const share = last === 0 ? 100 : (100 * time) / last;
    if (at >= ROWS) frames.set(share.toFixed(2), (ROWS - at - 1) * LINE);
  });
  return [...frames].map(([share, y]) => `${share}% { transform: translateY(${y}px) }`);
}

/** Without the codes that color a terminal. */
function escaped(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex
      .replace(/\u001B\[[\d;]*[A-Za-z]/g, '')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
  );
}
