// What a method of a Python type is here.
import type { Budget } from '../budget.ts';
import { bind, parameters, type Bound, type Parameters } from '../running/parameters.ts';
import { Callable, type Value } from '../values/value.ts';

/** A method of the type `Self`. */
export interface Method<Self> {
  readonly parameters: Parameters;
  run(self: Self, args: Bound, budget: Budget): Value;
}

/** Methods by name. */
export type Methods<Self> = Readonly<Record<string, Method<Self>>>;

/** A method without keyword arguments, as most of Python's are. */
export const method = <Self>(text: string, run: Method<Self>['run']): Method<Self> => ({
  parameters: parameters(text, false),
  run,
});

/** A method whose arguments can be given by name. */
export const named = <Self>(text: string, run: Method<Self>['run']): Method<Self> => ({
  parameters: parameters(text, true),
  run,
});

/** A method that has its object. */
export function boundMethod<Self>(
  name: string,
  row: Method<Self>,
  self: Self,
  budget: Budget,
): Callable {
  return new Callable(name, (args) => row.run(self, bind(name, row.parameters, args), budget));
}
