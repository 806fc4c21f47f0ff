// `loop`: where a for loop is. It looks one item ahead only when it is asked to.
import { refused } from '../fault.ts';
import { equals } from '../values/comparison.ts';
import { sizeOf } from '../values/iteration.ts';
import { Callable, Tuple, Undefined, type Arguments, type Value } from '../values/value.ts';
import { callable } from './parameters.ts';

/** The state of one loop. */
export class Loop extends Callable {
  override readonly typeName = 'LoopContext';
  private iterator: Iterator<Value, unknown>;
  private readonly depth: number;
  private ahead: Value | undefined;
  private before: Value | undefined;
  private current: Value | undefined;
  private index = -1;
  private size: number | undefined;
  private last: Value | undefined;

  /** `recurse` is what `loop(...)` does; `filtered`: not every item is gone through. */
  constructor(
    iterable: Value,
    items: Iterable<Value>,
    depth: number,
    recurse: ((args: Arguments) => Value) | undefined,
    filtered: boolean,
  ) {
    super(
      'loop',
      recurse ??
        (() => {
          throw refused("The loop must have the 'recursive' marker to be called recursively.");
        }),
    );
    this.iterator = items[Symbol.iterator]();
    this.depth = depth;
    this.size = filtered ? undefined : sizeOf(iterable);
  }

  /** The next item; undefined at the end. */
  next(): Value | undefined {
    const item = this.ahead === undefined ? this.pull() : this.ahead;
    this.ahead = undefined;
    if (item === undefined) return undefined;
    this.index++;
    this.before = this.current;
    this.current = item;
    return item;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return BigInt(this.index + 1);
      case 'index0':
        return BigInt(this.index);
      case 'revindex':
        return BigInt(this.length() - this.index);
      case 'revindex0':
        return BigInt(this.length() - this.index - 1);
      case 'length':
        return BigInt(this.length());
      case 'first':
        return this.index === 0;
      case 'last':
        return this.peek() === undefined;
      case 'depth':
        return BigInt(this.depth + 1);
      case 'depth0':
        return BigInt(this.depth);
      case 'previtem':
        return this.index === 0 ? new Undefined('there is no previous item') : this.before;
      case 'nextitem': {
        const item = this.peek();
        return item === undefined ? new Undefined('there is no next item') : item;
      }
      case 'cycle':
        return new Callable('cycle', ({ positional }) => this.cycle(positional));
      case 'changed':
        return new Callable('changed', ({ positional }) => this.changed(new Tuple(positional)));
      default:
        return undefined;
    }
  }

  private pull(): Value | undefined {
    const { value, done } = this.iterator.next();
    return done ? undefined : value;
  }

  private peek(): Value | undefined {
    if (this.ahead === undefined) this.ahead = this.pull();
    return this.ahead;
  }

  private length(): number {
    if (this.size !== undefined) return this.size;
    const rest: Value[] = [];
    const ahead = this.ahead === undefined ? 0 : 1;
    for (let item = this.pull(); item !== undefined; item = this.pull()) rest.push(item);
    this.iterator = rest[Symbol.iterator]();
    this.size = rest.length + this.index + 1 + ahead;
    return this.size;
  }

  private cycle(values: readonly Value[]): Value {
    if (values.length === 0) throw refused('no items for cycling given');
    return values[this.index % values.length]!;
  }

  private changed(value: Tuple): boolean {
    if (this.last !== undefined && equals(this.last, value)) return false;
    this.last = value;
    return true;
  }
}

/** `joiner(sep)`: nothing when it is first called, the separator afterwards. */
export function joiner(separator: Value): Callable {
  let used = false;
  return callable('joiner', '', () => {
    if (used) return separator;
    used = true;
    return '';
  });
}
