// Filters of texts.
import { refused, unsupported } from '../fault.ts';
import { arithmetic } from '../values/arithmetic.ts';
import { integer } from '../running/parameters.ts';
import { capitalize, centering } from '../methods/string-case.ts';
import { lines, replace, strip, text as textIn } from '../methods/string-content.ts';
import { length, points, slice } from '../values/code-points.ts';
import { SPACE } from '../parsing/lexer.ts';
import { fixed } from '../values/numbers.ts';
import { json } from '../values/json.ts';
import { escapeHtml, str } from '../values/text.ts';
import {
  Dict,
  Markup,
  Sequence,
  Tuple,
  textOf,
  truth,
  typeName,
  type Value,
} from '../values/value.ts';
import { filter, getter, list, type Filter, type Filters } from './filter.ts';

/** A filter of a text: anything is printed first. Escaped text is refused. */
const ofText = (text: string, run: (value: string) => Value): Filter =>
  filter(text, (value) => run(plain(value)));

function plain(value: Value): string {
  if (value instanceof Markup) throw unsupported('this filter on an escaped text');
  return str(value);
}

const escape: Filter = filter('', (value, _, { budget }) => {
  if (value instanceof Markup) return value;
  const text = escapeHtml(str(value));
  budget.make(text.length);
  return new Markup(text);
});

const join: Filter = filter('d? attribute?', (value, [separator, attribute], runtime) => {
  const get = getter(attribute, runtime);
  const parts = list(value, runtime).map((item) => str(get(item)));
  const between = separator === undefined ? '' : str(separator);
  runtime.budget.make(parts.reduce((sum, part) => sum + part.length + between.length, 0));
  return parts.join(between);
});

const indent: Filter = filter(
  'width? first? blank?',
  (value, [width = 4n, first, blank], runtime) => {
    const text = textIn(value);
    const size = textOf(width) === undefined ? integer(width) : 0;
    runtime.budget.make(size);
    const by = textOf(width) ?? ' '.repeat(Math.max(0, size));
    const all = lines(`${text}\n`, false);
    runtime.budget.make(text.length + all.length * by.length);
    const [head = '', ...rest] = all;
    const indented =
      blank !== undefined && truth(blank)
        ? rest.map((line) => by + line)
        : rest.map((line) => (line === '' ? line : by + line));
    const result = [head, ...indented].join('\n');
    return first !== undefined && truth(first) ? by + result : result;
  },
);

const toJson: Filter = filter(
  'ensure_ascii? indent? separators? sort_keys?',
  (value, [ascii = false, level = null, separators = null, sort = false], { budget }) => {
    const width = textOf(level) === undefined && level !== null ? integer(level) : 0;
    budget.make(width);
    const spaces = textOf(level) ?? ' '.repeat(Math.max(0, width));
    return json(
      value,
      {
        ascii: truth(ascii),
        indent: level === null ? undefined : spaces,
        separators: separatorsOf(separators, level !== null),
        sortKeys: truth(sort),
      },
      budget,
    );
  },
);

function separatorsOf(value: Value, indented: boolean): readonly [string, string] {
  if (value === null) return [indented ? ',' : ', ', ': '];
  const [item, key] = value instanceof Sequence ? value.items.map(textOf) : [];
  if (item === undefined || key === undefined) throw refused('separators must be two texts');
  return [item, key];
}

const truncate: Filter = filter(
  'length? killwords? end? leeway?',
  (value, [wanted = 255n, kill = false, end = '...', leeway = null]) => {
    const text = plain(value);
    const size = integer(wanted);
    const ending = str(end);
    const extra = leeway === null ? 5 : integer(leeway);
    const room = size - length(ending);
    if (room < 0) throw refused(`expected length >= ${length(ending)}, got ${size}`);
    if (length(text) <= size + extra) return text;
    const cut = slice(text, 0, room);
    if (truth(kill)) return cut + ending;
    const at = cut.lastIndexOf(' ');
    return (at < 0 ? cut : cut.slice(0, at)) + ending;
  },
);

const WORD_BEGINNING = new RegExp(`((?:[-({[<]|${SPACE})+)`);

function title(text: string): string {
  return text
    .split(WORD_BEGINNING)
    .map((part) => {
      const [head = '', ...rest] = points(part);
      return head.toUpperCase() + rest.join('').toLowerCase();
    })
    .join('');
}

const quote = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (unit) => {
    return `%${unit.charCodeAt(0).toString(16).toUpperCase()}`;
  });

const urlEncode: Filter = filter('', (value, _, runtime) => {
  if (!(value instanceof Dict) && !(value instanceof Sequence)) {
    return quote(str(value)).replaceAll('%2F', '/');
  }
  const pairs = value instanceof Dict ? [...value.pairs()] : list(value, runtime).map(pairOf);
  const query = (each: Value): string => quote(str(each)).replaceAll('%20', '+');
  return pairs.map(([key, each]) => `${query(key)}=${query(each)}`).join('&');
});

function pairOf(value: Value): readonly [Value, Value] {
  if (value instanceof Tuple && value.items.length === 2) return [value.items[0]!, value.items[1]!];
  throw refused(`cannot unpack ${typeName(value)}`);
}

function center(value: Value, width: number): string {
  const text = plain(value);
  const missing = width - length(text);
  if (missing <= 0) return text;
  const [left, right] = centering(missing, width);
  return ' '.repeat(left) + text + ' '.repeat(right);
}

const SIZES = 'kMGTPEZY';

function fileSize(bytes: number, binary: boolean): string {
  const base = binary ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  for (let index = 0; index < SIZES.length; index++) {
    const unit = base ** (index + 2);
    if (bytes >= unit && index < SIZES.length - 1) continue;
    const letter = SIZES[index]!;
    const name = binary ? `${letter.toUpperCase()}iB` : `${letter}B`;
    return `${fixed((base * bytes) / unit, 1)} ${name}`;
  }
  return '';
}

/** The filters by name. */
export const textFilters: Filters = {
  capitalize: ofText('', capitalize),
  center: filter('width?', (value, [width], { budget }) => {
    budget.make(integer(width, 80));
    return center(value, integer(width, 80));
  }),
  e: escape,
  escape,
  filesizeformat: filter('binary?', (value, [binary = false]) => {
    if (typeof value !== 'bigint') throw unsupported('filesizeformat of what is no int');
    return fileSize(Number(value), truth(binary));
  }),
  forceescape: filter('', (value) => new Markup(escapeHtml(str(value)))),
  format: (value, { positional, named }, { budget }) => {
    if (positional.length > 0 && named.size > 0) {
      throw refused("can't handle positional and keyword arguments at the same time");
    }
    const values = named.size > 0 ? new Dict(named) : new Tuple(positional);
    return arithmetic('%', plain(value), values, budget);
  },
  indent,
  join,
  lower: ofText('', (text) => text.toLowerCase()),
  replace: filter('old new count?', (value, [old, by, count = null], { budget }) =>
    replace(str(value), str(old!), str(by!), count === null ? -1 : integer(count), budget),
  ),
  safe: filter('', (value) => new Markup(str(value))),
  string: filter('', (value) => (value instanceof Markup ? value : str(value))),
  title: ofText('', title),
  tojson: toJson,
  trim: filter('chars?', (value, [chars]) => strip(plain(value), chars, 'both')),
  truncate,
  upper: ofText('', (text) => text.toUpperCase()),
  urlencode: urlEncode,
  wordcount: ofText('', (text) => BigInt(text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)),
};
