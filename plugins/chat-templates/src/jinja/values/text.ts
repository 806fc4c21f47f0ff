// str() and repr(): a value as Python prints it. What has an address in Python's text is refused.
import { refused, unsupported } from '../fault.ts';
import { floatText } from './numbers.ts';
import {
  Dict,
  DictView,
  List,
  Markup,
  Namespace,
  Range,
  type Sequence,
  Tuple,
  Undefined,
  WrittenNumber,
  type PythonObject,
  type Value,
} from './value.ts';

/** str(): what `{{ value }}` prints. */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return '';
  return value instanceof Markup ? value.text : repr(value);
}

/** repr(): what a value looks like inside of a list. */
export function repr(value: Value): string {
  if (value === null) return 'None';
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'boolean':
      return value ? 'True' : 'False';
    case 'bigint':
      return integerText(value);
    case 'number':
      return floatText(value);
    default:
      return objectText(value);
  }
}

function objectText(value: PythonObject): string {
  if (value instanceof WrittenNumber) return value.text;
  if (value instanceof Tuple) {
    return `(${joined(value)}${value.items.length === 1 ? ',' : ''})`;
  }
  if (value instanceof List) return `[${joined(value)}]`;
  if (value instanceof Dict) return `{${pairs(value)}}`;
  if (value instanceof DictView) return `${value.typeName}([${viewItems(value)}])`;
  if (value instanceof Range) {
    const step = value.step === 1n ? '' : `, ${value.step}`;
    return `range(${value.start}, ${value.stop}${step})`;
  }
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Markup) return `Markup(${quoted(value.text)})`;
  if (value instanceof Namespace) {
    const entries = [...value.values].map(([key, each]) => `${quoted(key)}: ${repr(each)}`);
    return `<Namespace {${entries.join(', ')}}>`;
  }
  throw unsupported(`printing a ${value.typeName}`);
}

const joined = (value: Sequence): string => value.items.map(repr).join(', ');

const pairs = (dict: Dict): string =>
  Array.from(dict.pairs(), ([key, value]) => `${repr(key)}: ${repr(value)}`).join(', ');

function viewItems({ kind, dict }: DictView): string {
  const items = Array.from(dict.pairs(), ([key, value]) => {
    if (kind === 'items') return `(${repr(key)}, ${repr(value)})`;
    return repr(kind === 'keys' ? key : value);
  });
  return items.join(', ');
}

function integerText(value: bigint): string {
  const text = String(value);
  if (text.length > 4300) throw refused('the int has more than 4300 digits');
  return text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\\': '\\\\',
};

// what Python's isprintable() denies: separators but the space, and the categories C
const ESCAPED = /[\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** A str in quotes, with escapes, as Python writes it. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(ESCAPED, escaped);
  return quote + (quote === "'" ? body.replaceAll("'", "\\'") : body) + quote;
}

function escaped(point: string): string {
  if (ESCAPES[point] !== undefined) return ESCAPES[point];
  const code = point.codePointAt(0)!;
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** HTML's special characters, as MarkupSafe escapes them. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('>', '&gt;')
    .replaceAll('<', '&lt;')
    .replaceAll("'", '&#39;')
    .replaceAll('"', '&#34;');
}
