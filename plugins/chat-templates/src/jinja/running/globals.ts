// The functions that every template finds: Jinja2's, and transformers' two.
import type { Budget } from '../budget.ts';
import { refused, unsupported } from '../fault.ts';
import { strftime } from './strftime.ts';
import { iterate, sizeOf } from '../values/iteration.ts';
import { str } from '../values/text.ts';
import {
  Callable,
  Dict,
  Namespace,
  PythonObject,
  Range,
  textOf,
  typeName,
  type Arguments,
  type Value,
} from '../values/value.ts';
import { joiner } from './loop.ts';
import { callable, integer } from './parameters.ts';

/** The bound of Jinja2's sandbox. */
const MAX_RANGE = 100_000;

/** `cycler(...)`: one item after the other. */
class Cycler extends PythonObject {
  readonly typeName = 'Cycler';
  private readonly items: readonly Value[];
  private position = 0;

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'current':
        return this.items[this.position];
      case 'next':
        return callable('next', '', () => {
          const item = this.items[this.position]!;
          this.position = (this.position + 1) % this.items.length;
          return item;
        });
      case 'reset':
        return callable('reset', '', () => {
          this.position = 0;
          return null;
        });
      case 'items':
      case 'pos':
        throw unsupported(`cycler.${name}`);
      default:
        return undefined;
    }
  }
}

function range(first: Value, second: Value | undefined, third: Value | undefined): Range {
  const whole = (value: Value): bigint => {
    if (typeof value === 'bigint') return value;
    return BigInt(integer(value));
  };
  const [start, stop] = second === undefined ? [0n, whole(first)] : [whole(first), whole(second)];
  const step = third === undefined ? 1n : whole(third);
  if (step === 0n) throw refused('range() arg 3 must not be zero');
  const result = new Range(start, stop, step);
  if (result.size > MAX_RANGE) {
    throw refused(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE}).`);
  }
  return result;
}

/** The entries that dict() and namespace() take: of a dict, of pairs, by name. */
function entries({ positional, named }: Arguments, budget: Budget): Dict {
  const [source] = positional;
  if (positional.length > 1) throw refused('dict expected at most 1 argument');
  const pairs: (readonly [Value, Value])[] = [];
  if (source instanceof Dict) pairs.push(...source.pairs());
  else if (source !== undefined) {
    for (const item of iterate(source)) {
      const size = sizeOf(item);
      if (size !== 2) throw refused(`cannot convert '${typeName(item)}' to a key and a value`);
      const [key, value] = [...iterate(item)];
      pairs.push([key!, value!]);
    }
  }
  budget.make(pairs.length + named.size);
  return new Dict([...pairs, ...named]);
}

function namespace(args: Arguments, budget: Budget): Namespace {
  const result = new Namespace();
  for (const [key, value] of entries(args, budget).pairs()) {
    const name = textOf(key);
    if (name === undefined) throw unsupported('a name in a namespace that is no text');
    result.values.set(name, value);
  }
  return result;
}

/** The functions by name. */
export function globalFunctions(budget: Budget, now: () => Date): ReadonlyMap<string, Value> {
  const functions = [
    callable('range', 'start stop? step?', (start, stop, step) => range(start!, stop, step), false),
    new Callable('dict', (args) => entries(args, budget)),
    new Callable('namespace', (args) => namespace(args, budget)),
    new Callable('cycler', ({ positional }) => {
      if (positional.length === 0) throw refused('at least one item has to be provided');
      return new Cycler(positional);
    }),
    callable('joiner', 'sep?', (separator = ', ') => joiner(separator)),
    new Callable('lipsum', () => {
      throw unsupported('lipsum(), which is random');
    }),
    callable('raise_exception', 'message', (message) => {
      throw refused(str(message!));
    }),
    callable('strftime_now', 'format', (format) => {
      const text = textOf(format!);
      if (text === undefined) throw refused('strftime() needs a text');
      return strftime(now(), text);
    }),
  ];
  return new Map(functions.map((each) => [each.name, each]));
}
