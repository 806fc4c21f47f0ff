// Numbers as Python prints and rounds them: the shortest digits for repr, exact halves to even.
import { refused, unsupported } from '../fault.ts';

/** repr of a float. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  const text = decimal(value);
  return text.includes('.') ? text : `${text}.0`;
}

function decimal(value: number): string {
  const text = String(value);
  if (!text.includes('e')) return text;
  // 1e-5 and the like are exponents to Python too; what is left is below 1e-6 only for JavaScript
  const [mantissa, exponent] = text.split('e') as [string, string];
  const digits = mantissa.replace(/[-.]/g, '');
  const sign = value < 0 ? '-' : '';
  return `${sign}0.${'0'.repeat(-Number(exponent) - 1)}${digits}`;
}

/** A decimal number: `digits` times ten to the power of minus `scale`. */
interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** The exact value of a finite float that is not negative. */
function exact(value: number): Decimal {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const power = (biased === 0 ? 1 : biased) - 1075;
  if (power >= 0) return { digits: mantissa << BigInt(power), scale: 0 };
  return { digits: mantissa * 5n ** BigInt(-power), scale: -power };
}

/** To `places` digits behind the point (or before it, where negative), halves to even. */
function rounded({ digits, scale }: Decimal, places: number): bigint {
  if (scale <= places) return digits * 10n ** BigInt(places - scale);
  const unit = 10n ** BigInt(scale - places);
  const quotient = digits / unit;
  const twice = (digits % unit) * 2n;
  const up = twice > unit || (twice === unit && quotient % 2n === 1n);
  return up ? quotient + 1n : quotient;
}

/** `%.{places}f` of a finite number that is not negative. */
export function fixed(value: number | bigint, places: number): string {
  const number = typeof value === 'bigint' ? { digits: value, scale: 0 } : exact(value);
  const digits = String(rounded(number, places)).padStart(places + 1, '0');
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** The digits and the power of ten of the first: `digits` of them, for `%e` and `%g`. */
function significant(value: number, digits: number): { text: string; power: number } {
  if (value === 0) return { text: '0'.repeat(digits), power: 0 };
  const number = exact(value);
  let power = String(number.digits).length - 1 - number.scale;
  let text = String(rounded(number, digits - 1 - power));
  if (text.length > digits) {
    power++;
    text = text.slice(0, digits);
  }
  return { text, power };
}

/** `%.{places}e` of a finite number that is not negative. */
export function exponential(value: number, places: number): string {
  const { text, power } = significant(value, places + 1);
  return withPower(text, power);
}

function withPower(digits: string, power: number): string {
  const fraction = digits.slice(1);
  const sign = power < 0 ? '-' : '+';
  const exponent = `e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
  return `${digits[0]}${fraction && `.${fraction}`}${exponent}`;
}

/** `%.{precision}g` of a finite number that is not negative. */
export function general(value: number, precision: number, keepZeros: boolean): string {
  const places = precision === 0 ? 1 : precision;
  const { text, power } = significant(value, places);
  const digits = keepZeros ? text : text.replace(/(?<=.)0+$/, '');
  if (power < -4 || power >= places) return withPower(digits, power);
  if (power < 0) return `0.${'0'.repeat(-power - 1)}${digits}`;
  const whole = digits.slice(0, power + 1).padEnd(power + 1, '0');
  const fraction = digits.slice(power + 1);
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** Python's round(): halves to even, of the exact value. */
export function round(value: number, places: number): number {
  if (!Number.isFinite(value)) return value;
  if (places > 330) return value;
  const magnitude = rounded(exact(Math.abs(value)), places);
  const result = Number(`${magnitude}e${-places}`);
  return value < 0 || Object.is(value, -0) ? -result : result;
}

// Python reads the digits of every script
function refuseForeignDigits(text: string): void {
  if (/(?![0-9])\p{Nd}/u.test(text)) throw unsupported('a number in other digits than 0 to 9');
}

/** int() of a str; undefined where Python refuses. */
export function parseInteger(text: string, base = 10): bigint | undefined {
  refuseForeignDigits(text);
  const match = /^\s*([-+]?)(0[xX]|0[oO]|0[bB])?_?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)\s*$/.exec(text);
  if (!match) return undefined;
  const [, sign, prefix, body] = match as unknown as [string, string, string | undefined, string];
  const bases: Readonly<Record<string, number>> = { x: 16, o: 8, b: 2 };
  const ofPrefix = prefix === undefined ? undefined : bases[prefix[1]!.toLowerCase()];
  const digits = body.replaceAll('_', '');
  if (ofPrefix !== undefined && base !== ofPrefix && base !== 0) {
    // 0b1 is also a number of base 16
    return base > 11 ? ofDigits(prefix! + digits, base, sign) : undefined;
  }
  if (base === 0 && ofPrefix === undefined && /^0+[1-9]/.test(digits)) return undefined;
  return ofDigits(digits, ofPrefix ?? (base === 0 ? 10 : base), sign);
}

function ofDigits(digits: string, base: number, sign: string): bigint | undefined {
  if (base < 2 || base > 36) throw refused('int() base must be >= 2 and <= 36, or 0');
  if (base === 10 && /^\d+$/.test(digits)) return BigInt(sign === '-' ? `-${digits}` : digits);
  let value = 0n;
  for (const digit of digits) {
    const number = parseInt(digit, 36);
    if (!(number < base)) return undefined;
    value = value * BigInt(base) + BigInt(number);
  }
  return sign === '-' ? -value : value;
}

/** float() of a str; undefined where Python refuses. */
export function parseFloat(text: string): number | undefined {
  refuseForeignDigits(text);
  const trimmed = text.trim().toLowerCase();
  const special = /^([-+]?)(inf|infinity|nan)$/.exec(trimmed);
  if (special) return special[2] === 'nan' ? NaN : Number(`${special[1]}Infinity`);
  const plain = trimmed.replace(/(?<=\d)_(?=\d)/g, '');
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(plain) ? Number(plain) : undefined;
}

/** The int that a float is cut to. */
export function truncated(value: number): bigint {
  if (Number.isNaN(value)) throw refused('cannot convert float NaN to integer');
  if (!Number.isFinite(value)) throw refused('cannot convert float infinity to integer');
  return BigInt(Math.trunc(value));
}
