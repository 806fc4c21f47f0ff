// What Python does to strings, where JavaScript does something else: its whitespace has U+001C to
// U+001F and U+0085 and lacks U+FEFF.

/** Inside of `[...]`. */
export const SPACE_CLASS =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACE = `[${SPACE_CLASS}]`;
const START = new RegExp(`^${SPACE}+`);
const END = new RegExp(`${SPACE}+$`);
const BETWEEN = new RegExp(`${SPACE}+`);

/** `text.strip()` */
export function strip(text: string): string {
  return rstrip(text.replace(START, ''));
}

/** `text.rstrip()` */
export function rstrip(text: string): string {
  return text.replace(END, '');
}

/** `text.capitalize()`: the rest becomes lower case. */
export function capitalize(text: string): string {
  const [first = '', ...rest] = text;
  const [upper = '', ...more] = first.toUpperCase();
  return upper + (more.join('') + rest.join('')).toLowerCase();
}

/** `len(re.split(r'\s+', text))`: empty pieces at the ends count. */
export function countWords(text: string): number {
  return text.split(BETWEEN).length;
}

/** `text.split()` */
export function words(text: string): string[] {
  return strip(text)
    .split(BETWEEN)
    .filter((word) => word !== '');
}

/** `re.sub` of the pattern; `\s` in it is Python's. */
export function substitute(text: string, pattern: string, replacement: string): string {
  return text.replace(new RegExp(pattern.replaceAll('\\s', SPACE), 'g'), replacement);
}

/** `text[:1].isspace()` */
export function startsWithSpace(text: string): boolean {
  return START.test(text);
}

/** `text[-1:].isspace()` */
export function endsInSpace(text: string): boolean {
  return END.test(text);
}
