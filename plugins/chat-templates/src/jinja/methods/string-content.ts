// str's methods that search, cut and replace; they look at characters, never at regular expressions.
import type { Budget } from '../budget.ts';
import { refused } from '../fault.ts';
import { integer, type Bound } from '../running/parameters.ts';
import { length, points, slice } from '../values/code-points.ts';
import { iterate, sliceIndices } from '../values/iteration.ts';
import { List, Tuple, Undefined, textOf, typeName, type Value } from '../values/value.ts';
import { method, named, type Method, type Methods } from './method.ts';

/** What str.isspace() and strip() take for white space. */
export const WHITE_SPACE = new Set(
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008' +
    '\u2009\u200a\u2028\u2029\u202f\u205f\u3000',
);
// control characters are what it is about
// eslint-disable-next-line no-control-regex
const LINE_BREAK = /\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]/g;

/** The text that an argument must be. */
export function text(value: Value | undefined): string {
  const found = textOf(value ?? null);
  if (found !== undefined) return found;
  if (value instanceof Undefined) throw refused(value.reason);
  throw refused(`must be str, not ${typeName(value ?? null)}`);
}

/** As str.strip(): white space, or the characters given. */
export function strip(
  self: string,
  chars: Value | undefined,
  ends: 'both' | 'left' | 'right',
): string {
  const set = chars === undefined || chars === null ? WHITE_SPACE : new Set(points(text(chars)));
  const units = points(self);
  let start = 0;
  let stop = units.length;
  if (ends !== 'right') while (start < stop && set.has(units[start]!)) start++;
  if (ends !== 'left') while (stop > start && set.has(units[stop - 1]!)) stop--;
  return start === 0 && stop === units.length ? self : units.slice(start, stop).join('');
}

/** As str.replace(). */
export function replace(
  self: string,
  old: string,
  by: string,
  count: number,
  budget: Budget,
): string {
  if (old === by) return self;
  const parts = old === '' ? ['', ...points(self), ''] : self.split(old);
  const limit = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  budget.make(self.length + limit * by.length);
  const joined = parts.slice(0, limit + 1).join(by);
  return limit === parts.length - 1 ? joined : [joined, ...parts.slice(limit + 1)].join(old);
}

function splitArguments([separator, limit]: Bound): { separator: string | null; limit: number } {
  const given = separator === undefined || separator === null ? null : text(separator);
  if (given === '') throw refused('empty separator');
  return { separator: given, limit: integer(limit, -1) };
}

const strings = (parts: readonly string[]): List => new List(parts);

function split(self: string, args: Bound): List {
  const { separator, limit } = splitArguments(args);
  if (separator === null) return strings(words(self, limit));
  const parts = self.split(separator);
  if (limit < 0 || parts.length <= limit + 1) return strings(parts);
  return strings([...parts.slice(0, limit), parts.slice(limit).join(separator)]);
}

function rightSplit(self: string, args: Bound): List {
  const { separator, limit } = splitArguments(args);
  if (separator === null) {
    const parts = words(points(self).reverse().join(''), limit);
    return strings(parts.map((part) => points(part).reverse().join('')).reverse());
  }
  const parts: string[] = [];
  let rest = self;
  while (limit < 0 || parts.length < limit) {
    const at = rest.lastIndexOf(separator);
    if (at < 0) break;
    parts.push(rest.slice(at + separator.length));
    rest = rest.slice(0, at);
  }
  return strings([...parts, rest].reverse());
}

/** Words between white space; the rest behind `limit` of them keeps its own. */
function words(self: string, limit: number): string[] {
  const units = points(self);
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    while (at < units.length && WHITE_SPACE.has(units[at]!)) at++;
    if (at >= units.length) return parts;
    if (parts.length === limit) return [...parts, units.slice(at).join('')];
    const start = at;
    while (at < units.length && !WHITE_SPACE.has(units[at]!)) at++;
    parts.push(units.slice(start, at).join(''));
  }
}

/** As str.splitlines(). */
export function lines(self: string, keepEnds: boolean): string[] {
  const result: string[] = [];
  let start = 0;
  for (const found of self.matchAll(LINE_BREAK)) {
    const end = found.index + found[0].length;
    result.push(self.slice(start, keepEnds ? end : found.index));
    start = end;
  }
  if (start < self.length) result.push(self.slice(start));
  return result;
}

/** The part between `start` and `end`, and where it begins; undefined where that is outside. */
function window(
  self: string,
  start: Value | undefined,
  end: Value | undefined,
): { part: string; from: number } | undefined {
  const bound = (value: Value | undefined): number | undefined =>
    value === undefined || value === null ? undefined : integer(value);
  const size = length(self);
  const first = bound(start);
  if (first !== undefined && first > size) return undefined;
  const { from, to } = sliceIndices(size, first, bound(end), 1);
  return to < from ? undefined : { part: slice(self, from, to), from };
}

function search(
  self: string,
  [wanted, start, end]: Bound,
  find: (part: string, wanted: string) => number,
): number {
  const found = window(self, start, end);
  const at = found === undefined ? -1 : find(found.part, text(wanted));
  return at < 0 ? -1 : found!.from + length(found!.part.slice(0, at));
}

const first = (part: string, wanted: string): number => part.indexOf(wanted);
const last = (part: string, wanted: string): number => part.lastIndexOf(wanted);

const finder = (find: typeof first, missing: boolean): Method<string> =>
  method('sub start? end?', (self, args) => {
    const at = search(self, args, find);
    if (at < 0 && !missing) throw refused('substring not found');
    return BigInt(at);
  });

const affix = (has: (part: string, wanted: string) => boolean): Method<string> =>
  method('affix start? end?', (self, [affixes, start, end]) => {
    const found = window(self, start, end);
    const all = affixes instanceof Tuple ? affixes.items : [affixes];
    return all.map(text).some((each) => found !== undefined && has(found.part, each));
  });

function count(self: string, [wanted, start, end]: Bound): bigint {
  const found = window(self, start, end);
  if (found === undefined) return 0n;
  const part = text(wanted);
  const pieces = part === '' ? length(found.part) + 1 : found.part.split(part).length - 1;
  return BigInt(pieces);
}

const partition = (find: typeof first, after: boolean): Method<string> =>
  method('separator', (self, [separator]) => {
    const wanted = text(separator);
    if (wanted === '') throw refused('empty separator');
    const at = find(self, wanted);
    if (at < 0) return new Tuple(after ? [self, '', ''] : ['', '', self]);
    return new Tuple([self.slice(0, at), wanted, self.slice(at + wanted.length)]);
  });

function join(self: string, items: Value, budget: Budget): string {
  const parts = Array.from(iterate(items), (item, index) => {
    const part = textOf(item);
    if (part !== undefined) return part;
    throw refused(`sequence item ${index}: expected str instance, ${typeName(item)} found`);
  });
  budget.make(parts.reduce((sum, part) => sum + part.length + self.length, 0));
  return parts.join(self);
}

/** The methods by name. */
export const stringContent: Methods<string> = {
  strip: method('chars?', (self, [chars]) => strip(self, chars, 'both')),
  lstrip: method('chars?', (self, [chars]) => strip(self, chars, 'left')),
  rstrip: method('chars?', (self, [chars]) => strip(self, chars, 'right')),
  split: named('sep? maxsplit?', split),
  rsplit: named('sep? maxsplit?', rightSplit),
  splitlines: named('keepends?', (self, [keep]) => strings(lines(self, integer(keep, 0) !== 0))),
  partition: partition(first, true),
  rpartition: partition(last, false),
  find: finder(first, true),
  rfind: finder(last, true),
  index: finder(first, false),
  rindex: finder(last, false),
  count: method('sub start? end?', count),
  startswith: affix((part, wanted) => part.startsWith(wanted)),
  endswith: affix((part, wanted) => part.endsWith(wanted)),
  removeprefix: method('prefix', (self, [prefix]) =>
    self.startsWith(text(prefix)) ? self.slice(text(prefix).length) : self,
  ),
  removesuffix: method('suffix', (self, [suffix]) =>
    text(suffix) !== '' && self.endsWith(text(suffix)) ? self.slice(0, -text(suffix).length) : self,
  ),
  replace: method('old new count?', (self, [old, by, limit], budget) =>
    replace(self, text(old), text(by), integer(limit, -1), budget),
  ),
  join: method('iterable', (self, [items], budget) => join(self, items!, budget)),
};
