// Columns of text in a terminal, as wide as they look: a Chinese character takes two places. Not with
// cliui: it has no types, wraps long names, and needs slower packages for the width of text.
import stringWidth from 'fast-string-width';
import { wrapAnsi } from 'fast-wrap-ansi';

/** Places that the widest of some texts takes. */
export function widest(texts: Iterable<string>): number {
  return Math.max(0, ...Array.from(texts, (text) => stringWidth(text)));
}

/** A text filled with spaces to a width; a wider one as it is. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** Text in lines of at most `width`, broken at spaces. */
export function wrap(text: string, width: number): string[] {
  const words = text.trim().replace(/\s+/g, ' ');
  return words === '' ? [] : wrapAnsi(words, width).split('\n');
}

/** Rows `name  description`; a long name has its description on the next line. */
export function columns(
  rows: readonly (readonly [string, string])[],
  width: number,
  left = 30,
): string[] {
  const first = Math.min(left, widest(rows.map(([name]) => name)));
  const indent = first + 4;
  return rows.flatMap(([name, text]) => {
    const lines = wrap(text, Math.max(20, width - indent));
    const beside = stringWidth(name) <= first ? (lines.shift() ?? '') : '';
    return [
      `  ${pad(name, first)}  ${beside}`.trimEnd(),
      ...lines.map((line) => ' '.repeat(indent) + line),
    ];
  });
}
