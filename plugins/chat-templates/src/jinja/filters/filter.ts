// What a filter is here, and what several need: attributes by path, order without letter case.
import { refused } from '../fault.ts';
import { bind, parameters, type Bound } from '../running/parameters.ts';
import type { Runtime } from '../running/runtime.ts';
import { iterate } from '../values/iteration.ts';
import { ordered } from '../values/comparison.ts';
import {
  List,
  Tuple,
  Undefined,
  textOf,
  truth,
  type Arguments,
  type Value,
} from '../values/value.ts';

/** `value|filter(arguments)` */
export type Filter = (value: Value, args: Arguments, runtime: Runtime) => Value;

/** Filters by name. */
export type Filters = Readonly<Record<string, Filter>>;

/** A filter by its parameters. */
export function filter(
  text: string,
  run: (value: Value, args: Bound, runtime: Runtime) => Value,
): Filter {
  const wanted = parameters(text, true);
  return (value, args, runtime) => run(value, bind('the filter', wanted, args), runtime);
}

/** Reads one value of each item, as `attribute=` says: a name or index, with dots between. */
export type Getter = (item: Value) => Value;

/** For one attribute; without one, the item itself. */
export function getter(
  attribute: Value | undefined,
  { attributes }: Runtime,
  fallback?: Value,
): Getter {
  if (attribute === undefined || attribute === null) return (item) => item;
  const name = textOf(attribute);
  const path =
    name === undefined
      ? [attribute]
      : name.split('.').map((part) => (/^\d+$/.test(part) ? BigInt(part) : part));
  return (item) => {
    let value = item;
    for (const part of path) {
      value = attributes.item(value, part);
      if (value instanceof Undefined && fallback !== undefined && fallback !== null) {
        value = fallback;
      }
    }
    return value;
  };
}

/** As `getter`, for the filter sort: several attributes by commas, each turned into a key. */
export function sortGetter(attribute: Value | undefined, key: Getter, runtime: Runtime): Getter {
  const name = attribute === undefined ? undefined : textOf(attribute);
  if (!name?.includes(',')) {
    const get = getter(attribute, runtime);
    return (item) => key(get(item));
  }
  const getters = name.split(',').map((part) => getter(part, runtime));
  return (item) => new List(getters.map((get) => key(get(item))));
}

/** A text without its letter case, unless the argument `case_sensitive` holds. */
export function caseKey(caseSensitive: Value | undefined): Getter {
  if (caseSensitive !== undefined && truth(caseSensitive)) return (value) => value;
  return (value) => textOf(value)?.toLowerCase() ?? value;
}

/** Python's sorted(): stable, also where it is reversed. */
export function sorted(items: readonly Value[], key: Getter, reverse: boolean): Value[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((left, right) => {
    const [a, b] = reverse ? [right.key, left.key] : [left.key, right.key];
    if (ordered('<', a, b)) return -1;
    return ordered('<', b, a) ? 1 : 0;
  });
  return keyed.map(({ item }) => item);
}

/** The items of a value, counted in the budget. */
export function list(value: Value, { budget }: Runtime): Value[] {
  const items: Value[] = [];
  for (const item of iterate(value)) {
    budget.make(1);
    items.push(item);
  }
  return items;
}

/** The items of a dict as tuples; what `items` and `dictsort` refuse is refused. */
export const pair = (key: Value, value: Value): Tuple => new Tuple([key, value]);

/** A name that an argument must be. */
export function nameOf(value: Value | undefined, what: string): string {
  const name = value === undefined ? undefined : textOf(value);
  if (name === undefined) throw refused(`${what} is missing`);
  return name;
}
