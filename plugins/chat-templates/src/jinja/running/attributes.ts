// `value.name` and `value[index]`, as Jinja2's immutable sandbox looks them up: an attribute of the
// Python type before a key for the dot, after it for brackets. Nothing of JavaScript is reachable:
// all attributes there are stand in these tables.
import type { Budget } from '../budget.ts';
import { refused, unsupported } from '../fault.ts';
import {
  dictMethods,
  floatMethods,
  integerMethods,
  listMethods,
  sequenceMethods,
} from '../methods/containers.ts';
import { boundMethod, type Methods } from '../methods/method.ts';
import { stringCase } from '../methods/string-case.ts';
import { stringContent } from '../methods/string-content.ts';
import { formatFields, type Lookup } from '../methods/string-format.ts';
import { itemAt } from '../values/iteration.ts';
import {
  Callable,
  Dict,
  List,
  Markup,
  Range,
  Sequence,
  Tuple,
  Undefined,
  textOf,
  typeName,
  type Value,
} from '../values/value.ts';

const stringMethods: Methods<string> = { ...stringContent, ...stringCase };

// What Python's types have and this engine does not: it must not look like an unknown name.
const MISSING: Readonly<Record<string, readonly string[]>> = {
  str: ['encode', 'format_map', 'maketrans', 'translate'],
  int: ['as_integer_ratio', 'bit_count', 'from_bytes', 'is_integer', 'to_bytes'],
  bool: ['as_integer_ratio', 'bit_count', 'from_bytes', 'is_integer', 'to_bytes'],
  float: ['as_integer_ratio', 'fromhex', 'hex'],
  dict: ['fromkeys'],
  range: ['count', 'index'],
  dict_keys: ['isdisjoint', 'mapping'],
  dict_values: ['mapping'],
  dict_items: ['isdisjoint', 'mapping'],
  generator: ['close', 'gi_code', 'gi_frame', 'gi_running', 'gi_yieldfrom', 'send', 'throw'],
  function: [],
};

// What the sandbox denies, as it changes the value: undefined there and here.
const DENIED: Readonly<Record<string, readonly string[]>> = {
  list: ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
};

/** Looks up attributes and items for one rendering. */
export class Attributes implements Lookup {
  private readonly budget: Budget;

  constructor(budget: Budget) {
    this.budget = budget;
  }

  /** `value.name` */
  attribute(value: Value, name: string): Value {
    let found = this.own(value, name);
    if (found === undefined && value instanceof Dict) found = value.get(name);
    return found === undefined ? absent(value, name) : found;
  }

  /** `value[index]` */
  item(value: Value, index: Value): Value {
    if (value instanceof Undefined) throw refused(value.reason);
    const sequence =
      value instanceof Sequence || value instanceof Range || textOf(value) !== undefined;
    if (sequence && (typeof index === 'bigint' || typeof index === 'boolean')) {
      const found = itemAt(value, BigInt(index));
      return found === undefined ? absent(value, index) : found;
    }
    let found = value instanceof Dict ? keyed(value, index) : undefined;
    const name = textOf(index);
    if (found === undefined && name !== undefined) found = this.own(value, name);
    return found === undefined ? absent(value, index) : found;
  }

  /** An attribute as the filter `attr` and `map(attribute=...)` see one: never a key. */
  own(value: Value, name: string): Value | undefined {
    if (value instanceof Undefined) throw refused(value.reason);
    if (name.startsWith('__') && name.endsWith('__')) return undefined;
    const kind = typeName(value);
    if (DENIED[kind]?.includes(name)) {
      return new Undefined(`access to attribute '${name}' of '${kind}' object is unsafe`);
    }
    const found = this.method(value, name);
    if (found !== undefined) return found;
    if (Object.hasOwn(MISSING, kind) && MISSING[kind]!.includes(name)) {
      throw unsupported(`${kind}.${name}`);
    }
    return typeof value === 'object' && value !== null ? value.attribute(name) : undefined;
  }

  private method(value: Value, name: string): Value | undefined {
    if (value instanceof Markup) {
      if (name === 'format' || Object.hasOwn(stringMethods, name)) {
        throw unsupported(`the method ${name} of an escaped text`);
      }
      return undefined;
    }
    if (typeof value === 'string') {
      if (name === 'format') {
        return new Callable(name, (args) => formatFields(value, args, this, this.budget));
      }
      return this.from(stringMethods, value, name);
    }
    if (value instanceof List) return this.from(listMethods, value, name);
    if (value instanceof Tuple) return this.from(sequenceMethods, value, name);
    if (value instanceof Dict) return this.from(dictMethods, value, name);
    if (value instanceof Range) return rangeAttribute(value, name);
    const number = typeof value === 'boolean' ? BigInt(value) : value;
    if (typeof number !== 'bigint' && typeof number !== 'number') return undefined;
    return this.numberAttribute(number, name);
  }

  private numberAttribute(number: bigint | number, name: string): Value | undefined {
    const integer = typeof number === 'bigint';
    if (name === 'real' || (integer && name === 'numerator')) return number;
    if (name === 'imag') return integer ? 0n : 0;
    if (integer && name === 'denominator') return 1n;
    return integer
      ? this.from(integerMethods, number, name)
      : this.from(floatMethods, number, name);
  }

  private from<Self>(methods: Methods<Self>, self: Self, name: string): Value | undefined {
    if (!Object.hasOwn(methods, name)) return undefined;
    return boundMethod(name, methods[name]!, self, this.budget);
  }
}

function rangeAttribute({ start, stop, step }: Range, name: string): Value | undefined {
  const values: Readonly<Record<string, Value>> = { start, stop, step };
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** A key of a dict; one that cannot be a key is not there. */
function keyed(dict: Dict, key: Value): Value | undefined {
  const possible =
    key === null || typeof key !== 'object' || key instanceof Markup || key instanceof Callable;
  if (!possible && key instanceof Tuple) throw unsupported('a tuple as a key');
  return possible ? dict.get(key) : undefined;
}

function absent(value: Value, name: Value): Undefined {
  const what = value instanceof Dict ? 'dict object' : `${typeName(value)} object`;
  return new Undefined(
    typeof name === 'string'
      ? `'${what}' has no attribute '${name}'`
      : `'${what}' has no element ${typeof name === 'bigint' ? String(name) : typeName(name)}`,
  );
}
