// `format % values`, as Python does it.
import type { Budget } from '../budget.ts';
import { refused, unsupported } from '../fault.ts';
import { numeric } from './comparison.ts';
import { floatLayout, integerLayout, padded, type Layout } from './format-spec.ts';
import { truncated } from './numbers.ts';
import { repr, str } from './text.ts';
import { Dict, List, Tuple, typeName, type Value } from './value.ts';
import { length, slice } from './code-points.ts';

const DIRECTIVE = /%(?:\(([^()]*)\))?([-+ 0#]*)(\*|\d*)(?:\.(\*|\d*))?[hlL]?([^])?/gu;

/** Throws where Python does. */
export function percentFormat(format: string, values: Value, budget: Budget): string {
  const all = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let byName = false;
  const next = (): Value => {
    if (used >= all.length) throw refused('not enough arguments for format string');
    return all[used++]!;
  };
  const width = (text: string | undefined): number | undefined => {
    if (text !== '*') return text === undefined ? undefined : Number(text);
    const value = next();
    if (typeof value !== 'bigint') throw refused('* wants int');
    return Number(value);
  };
  const result = format.replace(
    DIRECTIVE,
    (_, name: string | undefined, flags: string, wide: string, precise, type) => {
      if (type === undefined) throw refused('incomplete format');
      if (name !== undefined) byName = true;
      const minimum = width(wide === '' ? undefined : wide);
      const precision = width(precise as string | undefined);
      if (type === '%') return '%';
      const value = name === undefined ? next() : named(values, name);
      const size = Math.abs(minimum ?? 0);
      budget.make(size + (precision ?? 0));
      return directive(type as string, value, {
        left: flags.includes('-') || (minimum ?? 0) < 0,
        zero: flags.includes('0'),
        sign: signFlag(flags),
        alternative: flags.includes('#'),
        width: size,
        precision,
      });
    },
  );
  const complete = used === all.length || byName || values instanceof Dict || isList(values);
  if (!complete) throw refused('not all arguments converted during string formatting');
  budget.make(result.length);
  return result;
}

function signFlag(flags: string): Layout['sign'] {
  if (flags.includes('+')) return '+';
  return flags.includes(' ') ? ' ' : '';
}

// a list counts as a mapping to Python, which may be left unused
const isList = (values: Value): boolean => values instanceof List;

function named(values: Value, name: string): Value {
  if (!(values instanceof Dict)) throw refused('format requires a mapping');
  const value = values.get(name);
  if (value === undefined) throw refused(`KeyError: '${name}'`);
  return value;
}

function directive(type: string, value: Value, layout: Layout): string {
  switch (type) {
    case 's':
    case 'r': {
      const text = type === 's' ? str(value) : repr(value);
      const part = layout.precision === undefined ? text : slice(text, 0, layout.precision);
      return padded(part, { ...layout, zero: false });
    }
    case 'd':
    case 'i':
    case 'u':
      return integerLayout(integer(type, value), 'd', layout);
    case 'x':
    case 'X':
    case 'o':
      return integerLayout(exactInteger(type, value), type, layout);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      return floatLayout(float(value), type, { ...layout, precision: layout.precision ?? 6 });
    case 'c':
      return padded(character(value), { ...layout, zero: false });
    case 'a':
      throw unsupported('%a');
    default:
      throw refused(`unsupported format character '${type}'`);
  }
}

function integer(type: string, value: Value): bigint {
  const number = numeric(value);
  if (number === undefined) {
    throw refused(`%${type} format: a real number is required, not ${typeName(value)}`);
  }
  return typeof number === 'bigint' ? number : truncated(number);
}

function exactInteger(type: string, value: Value): bigint {
  if (typeName(value) === 'float') {
    throw refused(`%${type} format: an integer is required, not float`);
  }
  return integer(type, value);
}

function float(value: Value): number {
  const number = numeric(value);
  if (number === undefined) throw refused(`must be real number, not ${typeName(value)}`);
  return Number(number);
}

function character(value: Value): string {
  if (typeof value === 'string' && length(value) === 1) return value;
  if (typeof value === 'bigint' && value >= 0n && value <= 0x10ffffn) {
    return String.fromCodePoint(Number(value));
  }
  throw refused('%c requires int or char');
}
