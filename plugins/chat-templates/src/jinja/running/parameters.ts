// Arguments of a call -> values by parameter, as Python binds them.
import { refused } from '../fault.ts';
import { Callable, Undefined, typeName, type Arguments, type Value } from '../values/value.ts';

/** Values in the order of the parameters; undefined where one was left out. */
export type Bound = readonly (Value | undefined)[];

/** The parameters of a function. */
export interface Parameters {
  readonly names: readonly string[];
  readonly required: number;
  /** Arguments can be given by name. */
  readonly keywords: boolean;
}

/** `'a b?'`: parameters by name, `?` for those that can be left out. */
export function parameters(text: string, keywords: boolean): Parameters {
  const words = text === '' ? [] : text.split(' ');
  return {
    names: words.map((word) => word.replace('?', '')),
    required: words.filter((word) => !word.endsWith('?')).length,
    keywords,
  };
}

/** Throws where Python's call does. */
export function bind(
  what: string,
  { names, required, keywords }: Parameters,
  args: Arguments,
): Bound {
  const { positional, named } = args;
  if (positional.length > names.length) {
    throw refused(`${what}() takes at most ${names.length} arguments (${positional.length} given)`);
  }
  const bound: (Value | undefined)[] = [...positional];
  for (const [name, value] of named) {
    const place = keywords ? names.indexOf(name) : -1;
    if (place < 0) throw refused(`${what}() got an unexpected keyword argument '${name}'`);
    if (bound[place] !== undefined) {
      throw refused(`${what}() got multiple values for argument '${name}'`);
    }
    bound[place] = value;
  }
  for (let place = 0; place < required; place++) {
    if (bound[place] === undefined) throw refused(`${what}() is missing '${names[place]}'`);
  }
  return bound;
}

/** A function by its parameters. */
export function callable(
  name: string,
  text: string,
  run: (...values: Bound) => Value,
  keywords = true,
): Callable {
  const wanted = parameters(text, keywords);
  return new Callable(name, (args) => run(...bind(name, wanted, args)));
}

/** An int that an argument must be; the fallback where it is left out. */
export function integer(value: Value | undefined, fallback?: number): number {
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
  if (value instanceof Undefined) throw refused(value.reason);
  throw refused(`'${typeName(value ?? null)}' object cannot be interpreted as an integer`);
}
