// str's methods of letter case, of kinds of characters and of width.
import { refused, unsupported } from '../fault.ts';
import { integer } from '../running/parameters.ts';
import { length, points } from '../values/code-points.ts';
import type { Value } from '../values/value.ts';
import { method, named, type Method, type Methods } from './method.ts';
import { WHITE_SPACE, text } from './string-content.ts';

const CASED = /\p{Cased}/u;
const LOWER = /\p{Lowercase}/u;
const UPPER = /\p{Uppercase}/u;

/** The first letter as in a title, the rest small. */
export function capitalize(self: string): string {
  const [first = '', ...rest] = points(self);
  return titleCase(first) + rest.join('').toLowerCase();
}

/** A character's form at the head of a word: that of ligatures and digraphs is not their capital. */
function titleCase(point: string): string {
  const upper = point.toUpperCase();
  if (/^[\0-\x7f]?$/.test(point) || length(upper) === 1) {
    if (/[\u01c4-\u01cc\u01f1-\u01f3\u10d0-\u10ff]/.test(point)) {
      throw unsupported(`title case of "${point}"`);
    }
    return upper;
  }
  throw unsupported(`title case of "${point}"`);
}

function title(self: string): string {
  let inWord = false;
  return points(self)
    .map((point) => {
      const turned = inWord ? point.toLowerCase() : titleCase(point);
      inWord = CASED.test(point);
      return turned;
    })
    .join('');
}

const swapped = (point: string): string => {
  if (UPPER.test(point)) return point.toLowerCase();
  return LOWER.test(point) ? point.toUpperCase() : point;
};

function isTitle(self: string): boolean {
  let inWord = false;
  let any = false;
  for (const point of points(self)) {
    const upper = UPPER.test(point) || /\p{Lt}/u.test(point);
    if (upper ? inWord : LOWER.test(point) && !inWord) return false;
    inWord = CASED.test(point);
    any ||= inWord;
  }
  return any;
}

const every = (pattern: RegExp): Method<string> =>
  method('', (self) => self !== '' && points(self).every((point) => pattern.test(point)));

const filled = (pad: (missing: number) => readonly [left: number, right: number]): Method<string> =>
  method('width fillchar?', (self, [width, fill], budget) => {
    const character: string = fill === undefined ? ' ' : text(fill);
    if (length(character) !== 1) {
      throw refused('The fill character must be exactly one character long');
    }
    const missing = integer(width) - length(self);
    if (missing <= 0) return self;
    budget.make(missing);
    const [left, right] = pad(missing);
    return character.repeat(left) + self + character.repeat(right);
  });

/** As str.center(): an odd space goes to the left where the width is odd. */
export function centering(missing: number, width: number): readonly [left: number, right: number] {
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return [left, missing - left];
}

const center: Method<string> = {
  ...filled(() => [0, 0]),
  run: (self, args, budget) => {
    const width = integer(args[0]);
    return filled((missing) => centering(missing, width)).run(self, args, budget);
  },
};

function zeroFilled(self: string, width: number): string {
  const missing = Math.max(0, width - length(self));
  const sign = /^[-+]/.exec(self)?.[0] ?? '';
  return sign + '0'.repeat(missing) + self.slice(sign.length);
}

function expandTabs(self: string, size: number): string {
  let column = 0;
  let result = '';
  for (const point of points(self)) {
    if (point === '\t') {
      const spaces = size > 0 ? size - (column % size) : 0;
      result += ' '.repeat(spaces);
      column += spaces;
    } else {
      result += point;
      column = point === '\n' || point === '\r' ? 0 : column + 1;
    }
  }
  return result;
}

const ascii = (self: string): boolean => /^[\0-\x7f]*$/.test(self);
const cased = (self: string, kind: RegExp, other: RegExp): boolean =>
  kind.test(self) && !points(self).some((point) => other.test(point) || /\p{Lt}/u.test(point));

/** Python's casefold, where it is lower(): others than ASCII may differ. */
function casefold(self: string): Value {
  if (!ascii(self)) throw unsupported('casefold() of other characters than ASCII');
  return self.toLowerCase();
}

/** The methods by name. */
export const stringCase: Methods<string> = {
  upper: method('', (self) => self.toUpperCase()),
  lower: method('', (self) => self.toLowerCase()),
  casefold: method('', casefold),
  capitalize: method('', capitalize),
  title: method('', title),
  swapcase: method('', (self) => points(self).map(swapped).join('')),
  isupper: method('', (self) => cased(self, UPPER, LOWER)),
  islower: method('', (self) => cased(self, LOWER, UPPER)),
  istitle: method('', isTitle),
  isalpha: every(/\p{L}/u),
  isdecimal: every(/\p{Nd}/u),
  isdigit: every(
    /[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490]/u,
  ),
  isnumeric: every(/\p{N}/u),
  isalnum: every(/[\p{L}\p{N}]/u),
  isspace: method(
    '',
    (self) => self !== '' && points(self).every((point) => WHITE_SPACE.has(point)),
  ),
  isascii: method('', ascii),
  isidentifier: method('', (self) => /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(self)),
  isprintable: method('', (self) => !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(self)),
  center,
  ljust: filled((missing) => [0, missing]),
  rjust: filled((missing) => [missing, 0]),
  zfill: method('width', (self, [width], budget) => {
    budget.make(Math.max(0, integer(width)));
    return zeroFilled(self, integer(width));
  }),
  expandtabs: named('tabsize?', (self, [size], budget) => {
    budget.make(points(self).filter((point) => point === '\t').length * integer(size, 8));
    return expandTabs(self, integer(size, 8));
  }),
};
