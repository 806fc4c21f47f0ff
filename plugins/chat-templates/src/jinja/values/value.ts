// Python's values, as templates see them. An int is a bigint and a float a number, so that 1 and 1.0
// stay apart; a str is a string, whose length Python counts in code points.
import { refused } from '../fault.ts';

/** Anything in a template. */
export type Value = null | boolean | bigint | number | string | PythonObject;

/** A value that is no JavaScript primitive. */
export abstract class PythonObject {
  /** What Python's messages call it. */
  abstract readonly typeName: string;

  /** An attribute of its own; undefined where there is none. */
  attribute(_name: string): Value | undefined {
    return undefined;
  }
}

/** A name or key that is not there: prints nothing, is false, and refuses whatever else. */
export class Undefined extends PythonObject {
  readonly typeName = 'Undefined';
  /** What is said where it is used. */
  readonly reason: string;
  constructor(reason: string) {
    super();
    this.reason = reason;
  }
}

/** A text that `escape` or `safe` made: what is joined to it with `+` is escaped. */
export class Markup extends PythonObject {
  readonly typeName = 'Markup';
  readonly text: string;
  constructor(text: string) {
    super();
    this.text = text;
  }
}

/** A number of a message or a tool that is printed as it was written: `1e5`, `0.10`. */
export class WrittenNumber extends PythonObject {
  readonly typeName: string;
  readonly text: string;
  /** What it counts as. */
  readonly number: number | bigint;
  constructor(text: string) {
    super();
    const isFloat = /[.eE]/.test(text);
    this.text = text;
    this.typeName = isFloat ? 'float' : 'int';
    this.number = isFloat ? Number(text) : BigInt(text);
  }
}

/** A list or a tuple. */
export abstract class Sequence extends PythonObject {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
}

/** A list. Templates cannot change one. */
export class List extends Sequence {
  readonly typeName = 'list';
}

/** A tuple. */
export class Tuple extends Sequence {
  readonly typeName: string = 'tuple';
}

/** A dict, in the order of insertion. Templates cannot change one. */
export class Dict extends PythonObject {
  readonly typeName = 'dict';
  private readonly entries = new Map<unknown, readonly [key: Value, value: Value]>();

  constructor(entries: Iterable<readonly [key: Value, value: Value]> = []) {
    super();
    for (const [key, value] of entries) this.set(key, value);
  }

  /** A key that is there already keeps its place and its form (1 and 1.0 are the same key). */
  private set(key: Value, value: Value): void {
    const hashed = hash(key);
    this.entries.set(hashed, [this.entries.get(hashed)?.[0] ?? key, value]);
  }

  get(key: Value): Value | undefined {
    return this.entries.get(typeof key === 'string' ? key : hash(key))?.[1];
  }

  has(key: Value): boolean {
    return this.entries.has(hash(key));
  }

  get size(): number {
    return this.entries.size;
  }

  pairs(): IterableIterator<readonly [key: Value, value: Value]> {
    return this.entries.values();
  }
}

/** What `keys()`, `values()` and `items()` give. */
export class DictView extends PythonObject {
  readonly typeName: string;
  readonly kind: 'keys' | 'values' | 'items';
  readonly dict: Dict;
  constructor(kind: 'keys' | 'values' | 'items', dict: Dict) {
    super();
    this.kind = kind;
    this.dict = dict;
    this.typeName = `dict_${kind}`;
  }
}

/** What `range()` gives. */
export class Range extends PythonObject {
  readonly typeName = 'range';
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  constructor(start: bigint, stop: bigint, step: bigint) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
  }

  get size(): number {
    const { start, stop, step } = this;
    const span = step > 0n ? stop - start + step - 1n : stop - start + step + 1n;
    const size = span / step;
    return size > 0n ? Number(size) : 0;
  }
}

/** What can be gone through once: the result of `map`, `select`, `batch` and the like. */
export class Generator extends PythonObject {
  readonly typeName: string = 'generator';
  readonly iterator: Iterator<Value, unknown>;
  constructor(values: Iterable<Value>) {
    super();
    this.iterator = values[Symbol.iterator]();
  }
}

/** Arguments of a call. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** What can be called. */
export class Callable extends PythonObject {
  readonly typeName: string = 'function';
  readonly name: string;
  readonly call: (args: Arguments) => Value;
  constructor(name: string, call: (args: Arguments) => Value) {
    super();
    this.name = name;
    this.call = call;
  }
}

/** `namespace()`: the one thing that `set` can change. */
export class Namespace extends PythonObject {
  readonly typeName = 'Namespace';
  readonly values = new Map<string, Value>();

  override attribute(name: string): Value | undefined {
    return this.values.get(name);
  }
}

/** Python's hash, for keys: numbers that are equal are one key. */
export function hash(key: Value): unknown {
  if (typeof key === 'boolean') return key ? 1n : 0n;
  if (typeof key === 'number') return Number.isInteger(key) ? BigInt(key) : key;
  if (key instanceof Markup) return key.text;
  if (key instanceof WrittenNumber) return hash(key.number);
  if (key instanceof Tuple) throw refused('a tuple as a key is not supported here');
  if (key instanceof List || key instanceof Dict || key instanceof DictView) {
    throw refused(`unhashable type: '${key.typeName}'`);
  }
  return key;
}

/** Python's name of a value's type. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'string':
      return 'str';
    default:
      return value.typeName;
  }
}

/** Python's truth. */
export function truth(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value !== 'object') return Boolean(value);
  if (value instanceof Sequence) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  if (value instanceof Range) return value.size > 0;
  if (value instanceof Markup) return value.text !== '';
  if (value instanceof WrittenNumber) return Boolean(value.number);
  return true;
}

/** The text of a str, or of markup. */
export function textOf(value: Value): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Markup ? value.text : undefined;
}
