// A terminal's lines as an SVG in which they appear one after another.

export interface ShownLine {
  readonly text: string;
  /** Since the start. */
  readonly seconds: number;
}

const COLUMNS = 100;
const LINE = 17;
const WIDTH = 860;
const MARGIN = 18;
/** A wait is shown no longer than this. */
const LONGEST_WAIT = 1.2;

/** Lines of more than 100 characters are cut. Without animation all of them show. */
export function terminalPicture(lines: readonly ShownLine[]): string {
  const height = lines.length * LINE + 2 * MARGIN;
  let shown = 0;
  const rows = lines.map(({ text, seconds }, at) => {
    const wait = at === 0 ? 0 : seconds - lines[at - 1]!.seconds;
    shown += Math.min(wait, LONGEST_WAIT);
    const cut = text.length > COLUMNS ? `${text.slice(0, COLUMNS - 1)}…` : text;
    const y = MARGIN + (at + 1) * LINE - 4;
    return (
      `<text x="${MARGIN}" y="${y}" style="animation-delay:${shown.toFixed(1)}s" ` +
      `xml:space="preserve">${escaped(cut)}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}">
<title>npm run demo, as it ran</title>
<style>
text { font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #d8dee9;
  animation: appear 0.01s backwards; }
@keyframes appear { from { opacity: 0 } to { opacity: 1 } }
</style>
<rect width="${WIDTH}" height="${height}" rx="8" fill="#20242c"/>
${rows.join('\n')}
</svg>
`;
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
