// Filters of numbers and of single values.
import { refused, unsupported } from '../fault.ts';
import { integer } from '../running/parameters.ts';
import { numeric } from '../values/comparison.ts';
import { parseFloat, parseInteger, round, truncated } from '../values/numbers.ts';
import { str } from '../values/text.ts';
import { Undefined, textOf, truth, typeName, type Value } from '../values/value.ts';
import { filter, type Filter, type Filters } from './filter.ts';

const fallback: Filter = filter(
  'default_value? boolean?',
  (value, [other = '', boolean = false]) =>
    value instanceof Undefined || (truth(boolean) && !truth(value)) ? other : value,
);

function number(value: Value): number | bigint {
  const found = numeric(value);
  if (found !== undefined) return found;
  if (value instanceof Undefined) throw refused(value.reason);
  throw refused(`bad operand type: '${typeName(value)}'`);
}

function absolute(value: Value): Value {
  const found = number(value);
  if (typeof found === 'bigint') return found < 0n ? -found : found;
  return Math.abs(found);
}

const toInteger: Filter = filter('default? base?', (value, [other = 0n, base = 10n]) => {
  if (value instanceof Undefined) throw refused(value.reason);
  const text = textOf(value);
  if (text !== undefined) {
    const whole = parseInteger(text, integer(base));
    if (whole !== undefined) return whole;
    const float = parseFloat(text);
    return float === undefined || !Number.isFinite(float) ? other : truncated(float);
  }
  const found = numeric(value);
  if (typeof found === 'bigint') return found;
  return found === undefined || Number.isNaN(found) ? other : truncated(found);
});

const toFloat: Filter = filter('default?', (value, [other = 0]) => {
  if (value instanceof Undefined) throw refused(value.reason);
  const text = textOf(value);
  const found = text === undefined ? numeric(value) : parseFloat(text);
  return found === undefined ? other : Number(found);
});

const rounding: Filter = filter('precision? method?', (value, [precision, method = 'common']) => {
  const name = textOf(method) ?? '';
  if (!['common', 'ceil', 'floor'].includes(name)) {
    throw refused('method must be common, ceil or floor');
  }
  const found = number(value);
  const places = integer(precision, 0);
  if (name === 'common') {
    // an int stays one
    if (typeof found === 'bigint' && places >= 0) return found;
    if (typeof found === 'bigint') throw unsupported('rounding an int to tens');
    return round(found, places);
  }
  const scale = 10 ** places;
  const scaled = Number(found) * scale;
  return (name === 'ceil' ? Math.ceil(scaled) : Math.floor(scaled)) / scale;
});

/** The filters by name. */
export const scalarFilters: Filters = {
  abs: filter('', absolute),
  attr: filter('name', (value, [name], { attributes }) => {
    const found = attributes.own(value, str(name!));
    return found === undefined
      ? new Undefined(`'${typeName(value)} object' has no attribute '${str(name!)}'`)
      : found;
  }),
  d: fallback,
  default: fallback,
  float: toFloat,
  int: toInteger,
  round: rounding,
};
