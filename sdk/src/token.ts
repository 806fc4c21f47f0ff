// Typed names under which plugins provide and find services. Plain strings inside, so that two
// copies of this package agree.

/** Name of a service of type T. */
export interface Token<T> {
  readonly name: string;
  /** Carries T for the type checker; never set. */
  readonly type?: T;
}

/** Makes a token; `name` is unique in a kernel, a plugin's own carries its package name. */
export function token<T>(name: string): Token<T> {
  return Object.freeze({ name });
}
