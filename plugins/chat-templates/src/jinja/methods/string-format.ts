// str.format, as Jinja2's sandbox does it: fields are looked up as a template looks them up.
import type { Budget } from '../budget.ts';
import { refused, unsupported } from '../fault.ts';
import { length } from '../values/code-points.ts';
import { floatLayout, integerLayout, type Layout } from '../values/format-spec.ts';
import { floatText } from '../values/numbers.ts';
import { repr, str } from '../values/text.ts';
import { WrittenNumber, typeName, type Arguments, type Value } from '../values/value.ts';

/** How fields are looked up. */
export interface Lookup {
  attribute(value: Value, name: string): Value;
  item(value: Value, index: Value): Value;
}

const FIELD = /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::([^{}]*))?\}|[{}]/g;

/** `format.format(*args)` */
export function formatFields(
  format: string,
  args: Arguments,
  lookup: Lookup,
  budget: Budget,
): string {
  let automatic = 0;
  const result = format.replace(
    FIELD,
    (all, field: string | undefined, conversion: string | undefined, spec = '') => {
      if (all === '{{') return '{';
      if (all === '}}') return '}';
      if (field === undefined) throw refused(`Single '${all}' encountered in format string`);
      const [, head, path] = /^([^.[]*)(.*)$/s.exec(field) as unknown as [string, string, string];
      const value = followed(
        argument(args, head === '' ? String(automatic++) : head),
        path,
        lookup,
      );
      if (conversion === 'a') throw unsupported('!a');
      if (conversion === 'r') return formatted(repr(value), spec as string, budget);
      return formatted(conversion === 's' ? str(value) : value, spec as string, budget);
    },
  );
  budget.make(result.length);
  return result;
}

function argument({ positional, named }: Arguments, name: string): Value {
  const value = /^\d+$/.test(name) ? positional[Number(name)] : named.get(name);
  if (value === undefined) throw refused(`the format has no value for {${name}}`);
  return value;
}

function followed(start: Value, path: string, lookup: Lookup): Value {
  let value = start;
  const steps = path.match(/\.[^.[]+|\[[^\]]+\]/g) ?? [];
  if (steps.join('') !== path) throw refused(`malformed field "${path}" in a format string`);
  for (const step of steps) {
    if (step.startsWith('.')) value = lookup.attribute(value, step.slice(1));
    else {
      const index = step.slice(1, -1);
      value = lookup.item(value, /^\d+$/.test(index) ? BigInt(index) : index);
    }
  }
  return value;
}

const SPEC = /^(?:([^])?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;

/** As format(value, spec). */
function formatted(value: Value, spec: string, budget: Budget): string {
  if (spec === '') return str(value);
  if (value instanceof WrittenNumber) return formatted(value.number, spec, budget);
  const match = SPEC.exec(spec);
  if (!match) throw refused(`invalid format specifier '${spec}'`);
  const [, fillCharacter, align, sign, alternative, zero, wide, group, precise, type] = match;
  const width = Number(wide ?? 0);
  budget.make(width + Number(precise ?? 0));
  const layout: Layout = {
    left: false,
    zero: false,
    sign: sign === '+' || sign === ' ' ? sign : '',
    alternative: alternative !== undefined,
    width: 0,
    precision: precise === undefined ? undefined : Number(precise),
    ...(group === ',' || group === '_' ? { group } : {}),
  };
  const numeric = typeof value === 'bigint' || typeof value === 'number';
  if (typeof value === 'boolean') throw unsupported('a bool with a format specifier');
  if (!numeric && typeof value !== 'string') {
    throw refused(`unsupported format string passed to ${typeName(value)}.__format__`);
  }
  const text = numeric ? number(value, type, layout) : cut(value, type, sign ?? group, layout);
  const fill = fillCharacter ?? (zero ? '0' : ' ');
  return aligned(text, fill, align ?? alignment(numeric, zero !== undefined), width);
}

function alignment(numeric: boolean, zero: boolean): string {
  if (!numeric) return '<';
  return zero ? '=' : '>';
}

function cut(
  value: string,
  type: string | undefined,
  refusedPart: string | undefined,
  layout: Layout,
): string {
  if ((type !== undefined && type !== 's') || refusedPart !== undefined || layout.alternative) {
    throw refused(`unknown format code for object of type 'str'`);
  }
  return layout.precision === undefined
    ? value
    : Array.from(value).slice(0, layout.precision).join('');
}

function number(value: bigint | number, type: string | undefined, layout: Layout): string {
  if (typeof value === 'bigint' && (type === undefined || /^[dxXobn]$/.test(type))) {
    if (layout.precision !== undefined) {
      throw refused('Precision not allowed in integer format specifier');
    }
    if (type === 'n') throw unsupported('the format n');
    return integerLayout(value, type ?? 'd', layout);
  }
  const float = Number(value);
  if (type === '%') {
    const precision = layout.precision ?? 6;
    return `${floatLayout(float * 100, 'f', { ...layout, precision })}%`;
  }
  if (type === undefined) {
    if (layout.precision !== undefined || layout.group) {
      throw unsupported('a float with a precision and no type');
    }
    return (float < 0 ? '' : layout.sign) + floatText(float);
  }
  if (!/^[eEfFgG]$/.test(type)) {
    throw refused(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
  }
  return floatLayout(float, type, { ...layout, precision: layout.precision ?? 6 });
}

function aligned(text: string, fill: string, align: string, width: number): string {
  const missing = Math.max(0, width - length(text));
  switch (align) {
    case '<':
      return text + fill.repeat(missing);
    case '^': {
      const left = Math.floor(missing / 2);
      return fill.repeat(left) + text + fill.repeat(missing - left);
    }
    case '=': {
      const sign = /^[-+ ]?(?:0[xXob])?/.exec(text)![0];
      return sign + fill.repeat(missing) + text.slice(sign.length);
    }
    default:
      return fill.repeat(missing) + text;
  }
}
