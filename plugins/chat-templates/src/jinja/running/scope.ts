// Names and their values: a loop's turn, a macro, a block and the template each have their own.
import type { Value } from '../values/value.ts';

/** Values by name, over those of what surrounds it. */
export class Scope {
  readonly outer: Scope | undefined;
  private readonly values = new Map<string, Value>();

  constructor(outer?: Scope) {
    this.outer = outer;
  }

  set(name: string, value: Value): void {
    this.values.set(name, value);
  }

  get(name: string): Value | undefined {
    const value = this.values.get(name);
    return value === undefined ? this.outer?.get(name) : value;
  }

  /** The values from the inside out, in the order in which each scope got them. */
  *all(): Iterable<Value> {
    yield* this.values.values();
    if (this.outer) yield* this.outer.all();
  }
}
