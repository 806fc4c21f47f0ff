// Typed names under which plugins provide and find services. Plain strings inside, so that two
// copies of this package agree.

/** Name of a service of type T. */
export interface Token<T> {
  readonly name: string;
  /** The plugin that usually provides it, for messages. */
  readonly usuallyFrom?: string;
  /** Carries T for the type checker; never set. */
  readonly type?: T;
}

/**
 * Makes a token; `name` is unique in a kernel, a plugin's own carries its package name.
 * `usuallyFrom` is the plugin to load where nobody provides the service.
 */
export function token<T>(name: string, usuallyFrom?: string): Token<T> {
  return Object.freeze({ name, ...(usuallyFrom === undefined ? {} : { usuallyFrom }) });
}
