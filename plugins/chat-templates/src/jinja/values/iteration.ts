// Going through a value, its length, its items and slices.
import { refused } from '../fault.ts';
import { length as pointsIn, points } from './code-points.ts';
import {
  Dict,
  DictView,
  Generator,
  List,
  Markup,
  Range,
  Sequence,
  Tuple,
  Undefined,
  textOf,
  typeName,
  type Value,
} from './value.ts';

/** What Python's iter() goes through; a generator goes on where it stopped. */
export function iterate(value: Value): Iterable<Value> {
  const text = textOf(value);
  if (text !== undefined) return points(text);
  if (value instanceof Sequence) return value.items;
  if (value instanceof Dict) return keys(value);
  if (value instanceof DictView) return view(value);
  if (value instanceof Range) return numbers(value);
  if (value instanceof Generator) return { [Symbol.iterator]: () => unclosed(value.iterator) };
  if (value instanceof Undefined) return [];
  throw refused(`'${typeName(value)}' object is not iterable`);
}

/** Whether `iterate` accepts a value. */
export const isIterable = (value: Value): boolean =>
  textOf(value) !== undefined ||
  [Sequence, Dict, DictView, Range, Generator, Undefined].some((type) => value instanceof type);

// a loop that is left does not close what it went through
const unclosed = (iterator: Iterator<Value, unknown>): Iterator<Value, unknown> => ({
  next: () => iterator.next(),
});

function* keys(dict: Dict): Iterable<Value> {
  for (const [key] of dict.pairs()) yield key;
}

function* view({ kind, dict }: DictView): Iterable<Value> {
  for (const [key, value] of dict.pairs()) {
    if (kind === 'items') yield new Tuple([key, value]);
    else yield kind === 'keys' ? key : value;
  }
}

function* numbers({ start, step, size }: Range): Iterable<Value> {
  let value = start;
  for (let index = 0; index < size; index++, value += step) yield value;
}

/** len(); undefined where Python refuses. */
export function sizeOf(value: Value): number | undefined {
  const text = textOf(value);
  if (text !== undefined) return pointsIn(text);
  if (value instanceof Sequence) return value.items.length;
  if (value instanceof Dict || value instanceof Range) return value.size;
  if (value instanceof DictView) return value.dict.size;
  return value instanceof Undefined ? 0 : undefined;
}

/** The item at an index of a str, list, tuple or range; undefined where there is none. */
export function itemAt(value: Value, index: bigint): Value | undefined {
  const size = sizeOf(value)!;
  const at = index < 0n ? Number(index) + size : Number(index);
  if (at < 0 || at >= size) return undefined;
  if (value instanceof Sequence) return value.items[at];
  if (value instanceof Range) return value.start + value.step * BigInt(at);
  return points(textOf(value)!)[at];
}

/** `value[start:stop:step]` of a str, list, tuple or range. */
export function sliceOf(value: Value, bounds: readonly (Value | undefined)[]): Value {
  const sliceable = textOf(value) !== undefined || value instanceof Sequence;
  if (!sliceable && !(value instanceof Range)) {
    if (value instanceof Undefined) throw refused(value.reason);
    throw refused(`'${typeName(value)}' object cannot be sliced`);
  }
  const [start, stop, step = 1] = bounds.map(bound);
  if (step === 0) throw refused('slice step cannot be zero');
  const indices = sliceIndices(sizeOf(value)!, start, stop, step);
  const text = textOf(value);
  if (text !== undefined) {
    const part = pick(points(text), indices).join('');
    return value instanceof Markup ? new Markup(part) : part;
  }
  if (value instanceof Range) {
    const at = (index: number): bigint => value.start + value.step * BigInt(index);
    return new Range(at(indices.from), at(indices.to), value.step * BigInt(step));
  }
  const items = pick((value as Sequence).items, indices);
  return value instanceof List ? new List(items) : new Tuple(items);
}

function bound(value: Value | undefined): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean' || typeof value === 'bigint') return Number(value);
  throw refused('slice indices must be integers or None');
}

interface Indices {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** As Python's slice.indices(). */
export function sliceIndices(
  size: number,
  start: number | undefined,
  stop: number | undefined,
  step: number,
): Indices {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (index: number): number =>
    index < 0 ? Math.max(index + size, low) : Math.min(index, high);
  const [first, end] = step > 0 ? [low, high] : [high, low];
  const from = start === undefined ? first : clamp(start);
  const to = stop === undefined ? end : clamp(stop);
  return { from, to, step };
}

function pick<Item>(items: readonly Item[], { from, to, step }: Indices): Item[] {
  if (step === 1) return items.slice(from, Math.max(from, to));
  const picked: Item[] = [];
  for (let at = from; step > 0 ? at < to : at > to; at += step) picked.push(items[at]!);
  return picked;
}
