// What filters, tests and functions ask of the rendering that they run in.
import type { Budget } from '../budget.ts';
import type { Arguments, Value } from '../values/value.ts';
import type { Attributes } from './attributes.ts';

/** One rendering. */
export interface Runtime {
  readonly budget: Budget;
  readonly attributes: Attributes;
  /** A filter by its name, for `map`. */
  filter(name: string, value: Value, args: Arguments): Value;
  /** A test by its name, for `select` and the like. */
  test(name: string, value: Value, args: Arguments): boolean;
}
