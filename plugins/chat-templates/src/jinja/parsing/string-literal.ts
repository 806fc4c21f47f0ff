// The value of a string literal, as Jinja2 gets it: by Python's codec unicode-escape over ASCII.
import { JinjaFault } from '../fault.ts';

const SIMPLE: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const ESCAPE = /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([^]))/gu;

/** The text between the quotes -> what it stands for. */
export function stringLiteral(body: string): string {
  if (!body.includes('\\')) return body;
  return ascii(body).replace(ESCAPE, (all, octal, hex2, hex4, hex8, other: string | undefined) => {
    if (octal !== undefined) return String.fromCodePoint(parseInt(octal as string, 8));
    const hex = (hex2 ?? hex4 ?? hex8) as string | undefined;
    if (hex !== undefined) return character(hex);
    const simple = SIMPLE[other!];
    if (simple !== undefined) return simple;
    // an x, u, U or N without what belongs behind it
    if (/[xuUN]/.test(other!)) throw new JinjaFault('syntax', `the escape ${all} is not complete`);
    return all;
  });
}

function character(hex: string): string {
  const code = parseInt(hex, 16);
  if (code > 0x10ffff) throw new JinjaFault('syntax', `there is no character ${hex}`);
  return String.fromCodePoint(code);
}

// A backslash before another character than ASCII escapes the backslash of that one's own escape.
function ascii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (point) => {
    const code = point.codePointAt(0)!;
    const hex = code.toString(16);
    if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
    return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
}
