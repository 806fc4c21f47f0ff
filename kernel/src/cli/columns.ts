// Two columns of text, wrapped to a readable width.

/** Rows `name  description`; a long name has its description on the next line. */
export function columns(
  rows: readonly (readonly [string, string])[],
  width: number,
  left = 30,
): string[] {
  const widest = Math.min(left, Math.max(0, ...rows.map(([name]) => name.length)));
  const indent = widest + 4;
  return rows.flatMap(([name, text]) => {
    const lines = wrap(text, Math.max(20, width - indent));
    const first =
      name.length <= widest
        ? [`  ${name.padEnd(widest)}  ${lines.shift() ?? ''}`.trimEnd()]
        : [`  ${name}`];
    return [...first, ...lines.map((line) => ' '.repeat(indent) + line)];
  });
}

/** Text in lines of at most `width`, broken at spaces. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}
