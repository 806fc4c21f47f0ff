// JSON as it is written: numbers whose digits or form JavaScript's number loses, and the order of
// keys. What it reads prints as it stood, but for white space.

/** A number whose form JavaScript's number does not keep: `1.0`, `1e5`, `0.10`, `-0`. */
export class JsonNumber {
  /** As it is written. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The nearest number, for calculating and for JSON.stringify. */
  valueOf(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }

  toJSON(): number {
    return this.valueOf();
  }
}

/**
 * A float as JSON writes it, so that one without fraction stays a float: 1 is `1.0`. Numbers that
 * are no whole ones, and those that are not finite, stay as they are.
 */
export function jsonFloat(value: number): number | JsonNumber {
  if (!Number.isInteger(value)) return value;
  if (Object.is(value, -0)) return new JsonNumber('-0.0');
  return new JsonNumber(Math.abs(value) < 1e16 ? value.toFixed(1) : value.toExponential());
}

/** Whether a JSON value is an object with named fields. */
export const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof JsonNumber);

/** Whether a text may hold a number or a key that JSON.parse changes. It may err to yes. */
const INEXACT = /(?:^|[\s:,[])(?:-0|-?\d{16}|-?\d+(?:\.\d|[eE]))|"\d+"\s*:|\\u003/;

/** A key that JavaScript's objects put in front of the others. */
const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/** Python refuses to print longer whole numbers, and so does no one write them. */
const MOST_DIGITS = 4300;

/** Deeper texts would end in an overflow of the stack somewhere. */
const DEEPEST = 1000;

/**
 * The value of a JSON text. Whole numbers beyond 2^53 are bigints, other numbers that would be
 * printed differently are JsonNumbers; objects keep the order of their keys. Throws SyntaxError as
 * JSON.parse does, and where such a text is nested deeper than 1000 levels.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return INEXACT.test(text) ? new ExactReader(text).value() : value;
}

/** The JSON text of a value that parseJson may have made; undefined where there is none. */
export function stringifyJson(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof JsonNumber) return value.text;
  if (typeof value !== 'object' || value === null || 'toJSON' in value) {
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => stringifyJson(item) ?? 'null').join(',')}]`;
  }
  const members = Object.entries(value).flatMap(([key, member]) => {
    const text = stringifyJson(member);
    return text === undefined ? [] : [`${JSON.stringify(key)}:${text}`];
  });
  return `{${members.join(',')}}`;
}

/** Reads a text that JSON.parse has found valid. */
class ExactReader {
  private readonly text: string;
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  value(): unknown {
    const first = this.next();
    if (first === '{' || first === '[') {
      if (++this.depth > DEEPEST) throw new SyntaxError(`nested deeper than ${DEEPEST} levels`);
      const inside = first === '{' ? this.object() : this.list();
      this.depth--;
      return inside;
    }
    if (first === '"') return this.string();
    const from = this.at;
    while (this.at < this.text.length && !/[\s,\]}]/.test(this.text[this.at]!)) this.at++;
    const token = this.text.slice(from, this.at);
    return /[-\d]/.test(token[0]!) ? number(token) : (JSON.parse(token) as unknown);
  }

  /** The next character that is no white space. */
  private next(): string {
    while (/\s/.test(this.text[this.at]!)) this.at++;
    return this.text[this.at]!;
  }

  private object(): object {
    const members = new Map<string, unknown>();
    this.at++;
    while (this.next() !== '}') {
      if (this.text[this.at] === ',') this.at++;
      this.next();
      const key = this.string();
      this.next();
      this.at++;
      members.set(key, this.value());
    }
    this.at++;
    return jsonObject(members);
  }

  private list(): unknown[] {
    const items: unknown[] = [];
    this.at++;
    while (this.next() !== ']') {
      if (this.text[this.at] === ',') this.at++;
      items.push(this.value());
    }
    this.at++;
    return items;
  }

  private string(): string {
    const { text, at } = this;
    let end = text.indexOf('"', at + 1);
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
    this.at = end + 1;
    return JSON.parse(text.slice(at, end + 1)) as string;
  }
}

/** Whether an odd number of backslashes stands before a place. */
function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text[before - 1] === '\\') before--;
  return (at - before) % 2 === 1;
}

function number(token: string): number | bigint | JsonNumber {
  const nearest = Number(token);
  const same = String(nearest) === token;
  if (same && (!Number.isInteger(nearest) || Number.isSafeInteger(nearest))) return nearest;
  const isWhole = /^-?[1-9]\d*$/.test(token) && token.length <= MOST_DIGITS;
  return isWhole ? BigInt(token) : new JsonNumber(token);
}

/** An object whose keys stay in the order of the entries, also those that are numbers. */
export function jsonObject(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const members = new Map(entries);
  const object = Object.fromEntries(members);
  const names = [...members.keys()];
  if (!names.some((name) => INDEX.test(name))) return object;
  if (Object.keys(object).every((name, index) => name === names[index])) return object;
  return new Proxy(object, {
    ownKeys: (target) => {
      const there = new Set(Reflect.ownKeys(target));
      const known = names.filter((name) => there.delete(name));
      return [...known, ...there];
    },
  });
}
