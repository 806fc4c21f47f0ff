// Numbers and texts laid out in a width: the common part of `%` and of str.format.
import { length } from './code-points.ts';
import { exponential, fixed, floatText, general } from './numbers.ts';

/** How a value is laid out. */
export interface Layout {
  readonly left: boolean;
  readonly zero: boolean;
  /** What stands before a number that is not negative. */
  readonly sign: '' | '+' | ' ';
  readonly alternative: boolean;
  readonly width: number;
  readonly precision: number | undefined;
  /** Between groups of digits. */
  readonly group?: ',' | '_';
}

/** A text in its width. */
export function padded(text: string, { left, width }: Layout): string {
  const missing = Math.max(0, width - length(text));
  return left ? text + ' '.repeat(missing) : ' '.repeat(missing) + text;
}

/** An int as `d`, `x`, `X`, `o` or `b`. */
export function integerLayout(value: bigint, type: string, layout: Layout): string {
  const bases: Readonly<Record<string, number>> = { x: 16, X: 16, o: 8, b: 2 };
  const magnitude = (value < 0n ? -value : value).toString(bases[type] ?? 10);
  const digits = (type === 'X' ? magnitude.toUpperCase() : magnitude).padStart(
    layout.precision ?? 0,
    '0',
  );
  const prefix = layout.alternative && type !== 'd' ? `0${type}` : '';
  return signed(value < 0n, prefix, grouped(digits, layout, type === 'd' ? 3 : 4), layout);
}

/** A float as `e`, `f`, `g` or their capitals; the precision must be there. */
export function floatLayout(value: number, type: string, layout: Layout): string {
  const precision = layout.precision!;
  const magnitude = Math.abs(value);
  let digits: string;
  if (!Number.isFinite(value)) digits = floatText(magnitude);
  else if (/f/i.test(type)) digits = fixed(magnitude, precision);
  else if (/e/i.test(type)) digits = exponential(magnitude, precision);
  else digits = general(magnitude, precision, layout.alternative);
  if (/[EFG]/.test(type)) digits = digits.toUpperCase();
  const negative = value < 0 || Object.is(value, -0);
  const zero = layout.zero && Number.isFinite(value);
  return signed(negative, '', grouped(digits, layout, 3), { ...layout, zero });
}

function grouped(digits: string, { group }: Layout, size: number): string {
  if (group === undefined) return digits;
  const [whole, rest] = [/^\w+/.exec(digits)![0], digits.replace(/^\w+/, '')];
  return whole.replace(new RegExp(`(?!^)(?=(?:\\w{${size}})+$)`, 'g'), group) + rest;
}

function signed(negative: boolean, prefix: string, digits: string, layout: Layout): string {
  const before = (negative ? '-' : layout.sign) + prefix;
  const zeros = layout.zero && !layout.left ? layout.width - before.length - digits.length : 0;
  return padded(before + '0'.repeat(Math.max(0, zeros)) + digits, layout);
}
