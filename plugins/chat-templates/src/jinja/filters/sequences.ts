// Filters of lists, dicts and whatever else can be gone through.
import { refused } from '../fault.ts';
import { bind, integer, parameters } from '../running/parameters.ts';
import type { Runtime } from '../running/runtime.ts';
import { arithmetic } from '../values/arithmetic.ts';
import { points } from '../values/code-points.ts';
import { equals, ordered } from '../values/comparison.ts';
import { iterate, sizeOf } from '../values/iteration.ts';
import {
  Dict,
  Generator,
  List,
  Tuple,
  Undefined,
  hash,
  textOf,
  truth,
  typeName,
  type Arguments,
  type Value,
} from '../values/value.ts';
import {
  caseKey,
  filter,
  getter,
  list,
  nameOf,
  pair,
  sortGetter,
  sorted,
  type Filter,
  type Filters,
} from './filter.ts';

/** A group of `groupby`: a tuple with names. */
class Group extends Tuple {
  override readonly typeName = '_GroupTuple';

  override attribute(name: string): Value | undefined {
    if (name === 'grouper') return this.items[0];
    return name === 'list' ? this.items[1] : undefined;
  }
}

const length: Filter = filter('', (value) => {
  const size = sizeOf(value);
  if (size === undefined) throw refused(`object of type '${typeName(value)}' has no len()`);
  return BigInt(size);
});

const first: Filter = filter('', (value) => {
  for (const item of iterate(value)) return item;
  return new Undefined('No first item, sequence was empty.');
});

const last: Filter = filter('', (value, _, runtime) => {
  if (value instanceof Generator) throw refused("'generator' object is not reversible");
  const item = list(value, runtime).at(-1);
  return item === undefined ? new Undefined('No last item, sequence was empty.') : item;
});

const extreme = (better: '<' | '>'): Filter =>
  filter('case_sensitive? attribute?', (value, [sensitive, attribute], runtime) => {
    const items = list(value, runtime);
    if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
    const [get, key] = [getter(attribute, runtime), caseKey(sensitive)];
    return items.reduce((best, item) =>
      ordered(better, key(get(item)), key(get(best))) ? item : best,
    );
  });

const sum: Filter = filter('attribute? start?', (value, [attribute, start = 0n], runtime) => {
  const get = getter(attribute, runtime);
  if (textOf(start) !== undefined) {
    throw refused("sum() can't sum strings [use ''.join(seq) instead]");
  }
  return list(value, runtime).reduce(
    (total, item) => arithmetic('+', total, get(item), runtime.budget),
    start,
  );
});

const sort: Filter = filter(
  'reverse? case_sensitive? attribute?',
  (value, [reverse = false, sensitive, attribute], runtime) => {
    const key = sortGetter(attribute, caseKey(sensitive), runtime);
    return new List(sorted(list(value, runtime), key, truth(reverse)));
  },
);

const unique: Filter = filter(
  'case_sensitive? attribute?',
  (value, [sensitive, attribute], runtime) => {
    const [get, key] = [getter(attribute, runtime), caseKey(sensitive)];
    const seen = new Set<unknown>();
    const items = list(value, runtime).filter((item) => {
      const hashed = hash(key(get(item)));
      if (seen.has(hashed)) return false;
      seen.add(hashed);
      return true;
    });
    return new Generator(items);
  },
);

const groupBy: Filter = filter(
  'attribute default? case_sensitive?',
  (value, [attribute, fallback, sensitive], runtime) => {
    const [get, key] = [getter(attribute, runtime, fallback), caseKey(sensitive)];
    const keyOf = (item: Value): Value => key(get(item));
    const groups: Value[][] = [];
    for (const item of sorted(list(value, runtime), keyOf, false)) {
      const open = groups.at(-1);
      if (open && equals(keyOf(open[0]!), keyOf(item))) open.push(item);
      else groups.push([item]);
    }
    return new List(groups.map((items) => new Group([get(items[0]!), new List(items)])));
  },
);

const dictSort: Filter = filter(
  'case_sensitive? by? reverse?',
  (value, [sensitive, by = 'key', reverse = false], runtime) => {
    const place = ['key', 'value'].indexOf(textOf(by) ?? '');
    if (place < 0) throw refused('You can only sort by either "key" or "value"');
    const key = caseKey(sensitive);
    const items = pairsOf(value);
    runtime.budget.make(items.length);
    return new List(sorted(items, (item) => key((item as Tuple).items[place]!), truth(reverse)));
  },
);

function pairsOf(value: Value): Tuple[] {
  if (value instanceof Undefined) throw refused(value.reason);
  if (!(value instanceof Dict)) {
    throw refused(`'${typeName(value)}' object has no attribute 'items'`);
  }
  return Array.from(value.pairs(), ([key, each]) => pair(key, each));
}

const items: Filter = filter('', (value) => {
  if (value instanceof Undefined) return new Generator([]);
  if (!(value instanceof Dict)) throw refused('Can only get item pairs from a mapping.');
  return new Generator(pairsOf(value));
});

const batch: Filter = filter('linecount fill_with?', (value, [count, fill = null], runtime) => {
  const size = integer(count);
  const rows: Value[][] = [];
  for (const item of list(value, runtime)) {
    const open = rows.at(-1);
    if (open && open.length !== size) open.push(item);
    else rows.push([item]);
  }
  const short = rows.at(-1);
  if (short && fill !== null && short.length < size) {
    runtime.budget.make(size);
    while (short.length < size) short.push(fill);
  }
  return new Generator(rows.map((row) => new List(row)));
});

const slice: Filter = filter('slices fill_with?', (value, [count, fill = null], runtime) => {
  const slices = integer(count);
  const all = list(value, runtime);
  if (slices === 0) throw refused('integer division or modulo by zero');
  runtime.budget.make(Math.max(0, slices));
  const size = Math.floor(all.length / slices);
  const longer = all.length - size * slices;
  const rows: Value[] = [];
  for (let row = 0, at = 0; row < slices; row++) {
    const end = at + size + (row < longer ? 1 : 0);
    const items = all.slice(at, end);
    if (fill !== null && row >= longer) items.push(fill);
    rows.push(new List(items));
    at = end;
  }
  return new Generator(rows);
});

const reverse: Filter = filter('', (value, _, runtime) => {
  const text = textOf(value);
  if (text !== undefined) return points(text).reverse().join('');
  const items = list(value, runtime).reverse();
  return value instanceof Generator ? new List(items) : new Generator(items);
});

const map: Filter = (value, args, runtime) => {
  if (args.positional.length === 0 && args.named.has('attribute')) {
    const [attribute, fallback] = bind('map', parameters('attribute default?', true), args);
    const get = getter(attribute, runtime, fallback);
    return new Generator(mapped(value, get, runtime));
  }
  const name = nameOf(args.positional[0], 'the filter of map');
  const rest = { positional: args.positional.slice(1), named: args.named };
  return new Generator(mapped(value, (item) => runtime.filter(name, item, rest), runtime));
};

function* mapped(value: Value, get: (item: Value) => Value, { budget }: Runtime): Iterable<Value> {
  if (!truth(value) && !(value instanceof Generator)) return;
  for (const item of iterate(value)) {
    budget.step();
    yield get(item);
  }
}

/** `select` and its relatives: by a test of the item or of one of its attributes. */
const selection = (wanted: boolean, ofAttribute: boolean): Filter => {
  return (value, { positional, named }, runtime) => {
    const used = ofAttribute ? positional.slice(1) : positional;
    if (ofAttribute && positional.length === 0) {
      throw refused('Missing parameter for attribute name');
    }
    const get = getter(ofAttribute ? positional[0] : undefined, runtime);
    const [test, ...rest] = used;
    const args: Arguments = { positional: rest, named };
    const holds = (item: Value): boolean =>
      test === undefined
        ? truth(get(item))
        : runtime.test(nameOf(test, 'the test'), get(item), args);
    return new Generator(selected(value, (item) => holds(item) === wanted, runtime));
  };
};

function* selected(
  value: Value,
  keep: (item: Value) => boolean,
  { budget }: Runtime,
): Iterable<Value> {
  if (!truth(value) && !(value instanceof Generator)) return;
  for (const item of iterate(value)) {
    budget.step();
    if (keep(item)) yield item;
  }
}

/** The filters by name. */
export const sequenceFilters: Filters = {
  batch,
  count: length,
  dictsort: dictSort,
  first,
  groupby: groupBy,
  items,
  last,
  length,
  list: filter('', (value, _, runtime) => new List(list(value, runtime))),
  map,
  max: extreme('>'),
  min: extreme('<'),
  reject: selection(false, false),
  rejectattr: selection(false, true),
  reverse,
  select: selection(true, false),
  selectattr: selection(true, true),
  slice,
  sort,
  sum,
  unique,
};
