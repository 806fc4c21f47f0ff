// Regular expressions as Python's `re` reads them, where JavaScript reads something else: flags at
// the beginning, `$` before a last line break, \A and \Z, and classes of all scripts.
import { z } from 'zod';
import { SPACE_CLASS } from './python-text.ts';

const FLAGS = /^\(\?([aimsux]+)\)/;
/** Outside of and inside `[...]`. */
const CLASSES: Readonly<Record<string, readonly [outside: string, inside: string]>> = {
  s: [`[${SPACE_CLASS}]`, SPACE_CLASS],
  S: [`[^${SPACE_CLASS}]`, '\\S'],
  d: ['\\p{Nd}', '\\p{Nd}'],
  D: ['\\P{Nd}', '\\P{Nd}'],
  w: ['[\\p{L}\\p{N}_]', '\\p{L}\\p{N}_'],
  W: ['[^\\p{L}\\p{N}_]', '\\W'],
  A: ['(?<![\\s\\S])', 'A'],
  Z: ['(?![\\s\\S])', 'Z'],
};
const SYNTAX = /[\^$\\.*+?()[\]{}|/]/;

/** A global expression. Throws a SyntaxError where it is none in either language. */
export function pythonRegex(source: string): RegExp {
  const flags = FLAGS.exec(source)?.[1] ?? '';
  const body = source
    .replace(FLAGS, '')
    .replaceAll('(?P<', '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\{,(\d+)\}/g, '{0,$1}');
  return new RegExp(translated(body, flags.includes('m')), `gu${flags.replace(/[^ims]/g, '')}`);
}

function translated(body: string, multiline: boolean): string {
  let [found, inside] = ['', false];
  for (let at = 0; at < body.length; at++) {
    const char = body[at]!;
    if (char === '\\') {
      at++;
      found += escaped(body[at] ?? '', inside);
    } else if (inside) {
      const ends = char === ']' && !/\[\^?$/.test(found);
      if (ends) inside = false;
      found += ends || (char !== '[' && char !== ']') ? char : `\\${char}`;
    } else if (char === '[') {
      inside = true;
      found += char;
    } else if (char === '$' && !multiline) {
      found += '(?=\\n?(?![\\s\\S]))';
    } else if (char === ']' || isLoneBrace(body, at)) {
      found += `\\${char}`;
    } else {
      found += char;
    }
  }
  return found;
}

function escaped(char: string, inside: boolean): string {
  const known = CLASSES[char];
  if (known) return known[inside ? 1 : 0];
  if (/[\w]/.test(char) || SYNTAX.test(char)) return `\\${char}`;
  return char === '-' && inside ? '\\-' : char;
}

/** A brace that is no repetition. */
function isLoneBrace(body: string, at: number): boolean {
  if (body[at] === '{') return !/^\{\d+(?:,\d*)?\}/.test(body.slice(at));
  return body[at] === '}' && !/\{\d+(?:,\d*)?$/.test(body.slice(0, at));
}

/** `re.findall`: the whole match, the one group, or all groups where there are several. */
export function findAll(pattern: RegExp, text: string): (string | string[])[] {
  return [...text.matchAll(pattern)].map(([whole, ...groups]) => {
    if (groups.length === 0) return whole;
    const filled = groups.map((group: string | undefined) => group ?? '');
    return filled.length === 1 ? filled[0]! : filled;
  });
}

/** The source of an expression, in a file. */
export const regexSource = z.string().refine((source) => {
  try {
    pythonRegex(source);
    return true;
  } catch {
    return false;
  }
}, 'is no regular expression');
