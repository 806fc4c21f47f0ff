// Methods of list, tuple, dict and of numbers that change nothing.
import { refused } from '../fault.ts';
import { integer, type Bound } from '../running/parameters.ts';
import { equals } from '../values/comparison.ts';
import { sliceIndices } from '../values/iteration.ts';
import { Dict, DictView, List, type Sequence, type Value } from '../values/value.ts';
import { method, named, type Methods } from './method.ts';

function indexOf({ items }: Sequence, [wanted, start, stop]: Bound): bigint {
  const bound = (value: Value | undefined): number | undefined =>
    value === undefined ? undefined : integer(value);
  const { from, to } = sliceIndices(items.length, bound(start), bound(stop), 1);
  for (let at = from; at < to; at++) if (equals(items[at]!, wanted!)) return BigInt(at);
  throw refused('the value is not in the list');
}

/** Of lists and tuples. */
export const sequenceMethods: Methods<Sequence> = {
  count: method('value', ({ items }, [wanted]) =>
    BigInt(items.filter((item) => equals(item, wanted!)).length),
  ),
  index: method('value start? stop?', indexOf),
};

/** Of lists alone. */
export const listMethods: Methods<Sequence> = {
  ...sequenceMethods,
  copy: method('', ({ items }) => new List(items)),
};

/** Of dicts. */
export const dictMethods: Methods<Dict> = {
  get: method('key default?', (self, [key, fallback = null]) => {
    const value = self.get(key!);
    return value === undefined ? fallback : value;
  }),
  keys: method('', (self) => new DictView('keys', self)),
  values: method('', (self) => new DictView('values', self)),
  items: method('', (self) => new DictView('items', self)),
  copy: method('', (self) => new Dict(self.pairs())),
};

/** Of ints. */
export const integerMethods: Methods<bigint> = {
  bit_length: method('', (self) =>
    BigInt(self === 0n ? 0 : (self < 0n ? -self : self).toString(2).length),
  ),
  conjugate: method('', (self) => self),
};

/** Of floats. */
export const floatMethods: Methods<number> = {
  is_integer: named('', (self) => Number.isInteger(self)),
  conjugate: method('', (self) => self),
};
