// `${...}` in the settings of a stage: folders of other stages, its own, the round.
import { notMade, unknownReference } from './errors.ts';

const REFERENCE = /\$\{([\w.-]+)(?::-([^}]*))?\}/g;

/** In front of a stage's name: the same stage in the round before. */
export const PREVIOUS = 'previous.';

/** A value with every string passed through `change`; functions and others stay. */
export function withStrings(value: unknown, change: (text: string) => unknown): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => withStrings(item, change));
  if (isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, withStrings(inner, change)]),
    );
  }
  return value;
}

/** An object of keys and values, and no instance of a class. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** What is called what where a stage stands. */
export interface Names {
  readonly stage: string;
  /** Name -> text; undefined where it is known and has not run. */
  readonly values: ReadonlyMap<string, string | undefined>;
}

/** A text with its references replaced. `used` hears each name. Throws LMFLOW_PIPELINE_NOT_MADE. */
export function replaced(
  text: string,
  { stage, values }: Names,
  used: (name: string) => void = () => undefined,
): string {
  return text.replace(REFERENCE, (_, name: string, otherwise: string | undefined) => {
    const value = values.get(name);
    if (value !== undefined) {
      used(name);
      return value;
    }
    if (otherwise === undefined) throw notMade(stage, name);
    return otherwise;
  });
}

/** Throws LMFLOW_PIPELINE_REFERENCE for a name that is not known where the stage stands. */
export function checkReferences(settings: unknown, stage: string, known: readonly string[]): void {
  withStrings(settings, (text) => {
    for (const [, name] of text.matchAll(REFERENCE)) {
      if (!known.includes(name!)) throw unknownReference(stage, name!, known);
    }
    return text;
  });
}
