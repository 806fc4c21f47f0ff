// Python's ==, <, in. Ints, floats and bools are compared by their value, texts by code points.
import { refused, unsupported } from '../fault.ts';
import { compare } from './code-points.ts';
import { iterate } from './iteration.ts';
import {
  Dict,
  DictView,
  List,
  Range,
  Sequence,
  Tuple,
  Undefined,
  WrittenNumber,
  textOf,
  typeName,
  type Value,
} from './value.ts';

/** A number's value; undefined where it is none. */
export function numeric(value: Value): number | bigint | undefined {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (value instanceof WrittenNumber) return value.number;
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined;
}

/** `==` */
export function equals(left: Value, right: Value): boolean {
  if (left === right) return !(typeof left === 'number' && Number.isNaN(left));
  const [a, b] = [numeric(left), numeric(right)];
  // between the two kinds of number JavaScript compares by value too
  // eslint-disable-next-line eqeqeq
  if (a !== undefined && b !== undefined) return a == b;
  const text = textOf(left);
  if (text !== undefined) return text === textOf(right);
  if (left instanceof Undefined) return right instanceof Undefined;
  if (left instanceof List) return right instanceof List && sameItems(left, right);
  if (left instanceof Tuple) return right instanceof Tuple && sameItems(left, right);
  if (left instanceof Dict) return right instanceof Dict && sameEntries(left, right);
  if (left instanceof Range && right instanceof Range) {
    return sameItems(new List([...iterate(left)]), new List([...iterate(right)]));
  }
  if (left instanceof DictView && right instanceof DictView) {
    throw unsupported(`comparing ${left.typeName}`);
  }
  return false;
}

const sameItems = (left: Sequence, right: Sequence): boolean =>
  left.items.length === right.items.length &&
  left.items.every((item, index) => equals(item, right.items[index]!));

function sameEntries(left: Dict, right: Dict): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left.pairs()) {
    const other = right.get(key);
    if (other === undefined || !equals(value, other)) return false;
  }
  return true;
}

/** Whether an order holds: `<`, `<=`, `>`, `>=`. */
export function ordered(operator: '<' | '<=' | '>' | '>=', left: Value, right: Value): boolean {
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) return holds(operator, a, b);
  const [text, other] = [textOf(left), textOf(right)];
  if (text !== undefined && other !== undefined) return holds(operator, compare(text, other), 0);
  if (left instanceof Sequence && right instanceof Sequence && sameType(left, right)) {
    for (let at = 0; at < left.items.length && at < right.items.length; at++) {
      const [x, y] = [left.items[at]!, right.items[at]!];
      if (!equals(x, y)) return ordered(operator, x, y);
    }
    return holds(operator, left.items.length, right.items.length);
  }
  for (const value of [left, right]) if (value instanceof Undefined) throw refused(value.reason);
  throw refused(
    `'${operator}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`,
  );
}

const sameType = (left: Sequence, right: Sequence): boolean =>
  left instanceof List === right instanceof List;

function holds(operator: string, left: number | bigint, right: number | bigint): boolean {
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

/** `item in container` */
export function contains(container: Value, item: Value): boolean {
  const text = textOf(container);
  if (text !== undefined) {
    const part = textOf(item);
    if (part !== undefined) return text.includes(part);
    throw refused(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.kind === 'keys') return container.dict.has(item);
  for (const each of iterate(container)) {
    if (each === item || equals(each, item)) return true;
  }
  return false;
}
