// Python's + - * / // % ** over numbers, texts and lists.
import type { Budget } from '../budget.ts';
import { refused, unsupported } from '../fault.ts';
import type { BinaryOperator } from '../parsing/nodes.ts';
import { numeric } from './comparison.ts';
import { percentFormat } from './percent-format.ts';
import { escapeHtml } from './text.ts';
import { List, Markup, Sequence, Tuple, Undefined, textOf, typeName, type Value } from './value.ts';

/** `left operator right` */
export function arithmetic(
  operator: BinaryOperator,
  left: Value,
  right: Value,
  budget: Budget,
): Value {
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) return numbers(operator, a, b, budget);
  let result: Value | undefined;
  if (operator === '+') result = joined(left, right, budget);
  else if (operator === '*') {
    result = repeated(left, right, budget) ?? repeated(right, left, budget);
  } else if (operator === '%' && textOf(left) !== undefined) {
    if (left instanceof Markup) throw unsupported('% on an escaped text');
    result = percentFormat(left as string, right, budget);
  }
  if (result !== undefined) return result;
  for (const value of [left, right]) if (value instanceof Undefined) throw refused(value.reason);
  throw refused(
    `unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`,
  );
}

function joined(left: Value, right: Value, budget: Budget): Value | undefined {
  const [text, other] = [textOf(left), textOf(right)];
  if (text !== undefined && other !== undefined) {
    budget.make(text.length + other.length);
    if (!(left instanceof Markup) && !(right instanceof Markup)) return text + other;
    const escaped = (value: Value, plain: string): string =>
      value instanceof Markup ? plain : escapeHtml(plain);
    return new Markup(escaped(left, text) + escaped(right, other));
  }
  if (!(left instanceof Sequence) || !(right instanceof Sequence)) return undefined;
  budget.make(left.items.length + right.items.length);
  const items = [...left.items, ...right.items];
  if (left instanceof List && right instanceof List) return new List(items);
  return left instanceof Tuple && right instanceof Tuple ? new Tuple(items) : undefined;
}

function repeated(value: Value, count: Value, budget: Budget): Value | undefined {
  const times = typeof count === 'boolean' ? BigInt(count) : count;
  if (typeof times !== 'bigint') return undefined;
  const text = textOf(value);
  if (text === undefined && !(value instanceof Sequence)) return undefined;
  const number = times < 0n ? 0 : Number(times);
  if (text !== undefined) {
    budget.make(text.length * number);
    const result = text === '' ? '' : text.repeat(number);
    return value instanceof Markup ? new Markup(result) : result;
  }
  const { items } = value as Sequence;
  budget.make(items.length * number);
  const all = items.length === 0 ? [] : Array.from({ length: number }, () => items).flat();
  return value instanceof List ? new List(all) : new Tuple(all);
}

function numbers(
  operator: BinaryOperator,
  a: number | bigint,
  b: number | bigint,
  budget: Budget,
): Value {
  if (operator === '/') return quotient(a, b);
  if (typeof a === 'bigint' && typeof b === 'bigint') return integers(operator, a, b, budget);
  return floats(operator, finite(a), finite(b));
}

/** An int as a float. */
function finite(value: number | bigint): number {
  const number = Number(value);
  if (typeof value === 'bigint' && !Number.isFinite(number)) {
    throw refused('int too large to convert to float');
  }
  return number;
}

function quotient(a: number | bigint, b: number | bigint): number {
  // a zero of either kind of number
  // eslint-disable-next-line eqeqeq
  if (b == 0) throw refused('division by zero');
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    const exact = [a, b].every((each) => BigInt(Number(each)) === each);
    if (!exact) throw unsupported('/ of ints above 2 ** 53');
  }
  return finite(a) / finite(b);
}

function integers(operator: BinaryOperator, a: bigint, b: bigint, budget: Budget): Value {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      budget.make(bits(a) + bits(b));
      return a * b;
    case '**':
      return integerPower(a, b, budget);
    default:
  }
  if (b === 0n) throw refused('integer division or modulo by zero');
  const rest = a % b;
  const wraps = rest !== 0n && rest < 0n !== b < 0n;
  if (operator === '%') return wraps ? rest + b : rest;
  return wraps ? a / b - 1n : a / b;
}

function integerPower(a: bigint, b: bigint, budget: Budget): Value {
  if (b < 0n) {
    if (a === 0n) throw refused('0.0 cannot be raised to a negative power');
    return finite(a) ** finite(b);
  }
  if (a < -1n || a > 1n) budget.make(bits(a) * Number(b));
  // the budget bounds what a text costs; a number of this size takes long to make
  if (bits(a) * Number(b) > 100_000 && (a < -1n || a > 1n)) throw unsupported('an int that large');
  return a ** b;
}

const bits = (value: bigint): number => value.toString(16).length * 4;

function floats(operator: BinaryOperator, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '**':
      return power(a, b);
    default:
  }
  if (b === 0) throw refused('float modulo by zero');
  let rest = a % b;
  if (rest !== 0 && rest < 0 !== b < 0) rest += b;
  if (rest === 0) rest = b < 0 ? -0 : 0;
  if (operator === '%') return rest;
  // as CPython: the floor of the division that has no rest
  const whole = (a - rest) / b;
  const floor = Math.floor(whole);
  return whole - floor > 0.5 ? floor + 1 : floor;
}

function power(a: number, b: number): number {
  if (a === 0 && b < 0) throw refused('0.0 cannot be raised to a negative power');
  if (a < 0 && !Number.isInteger(b)) throw unsupported('a complex number');
  if (a === 1 || b === 0) return 1;
  const result = a ** b;
  if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b)) {
    throw refused('numerical result out of range');
  }
  return result;
}
