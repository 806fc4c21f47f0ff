// How values and lists look inside messages. No errors here.

/** A value as a person would write it, shortened. */
export function shown(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'function') {
    return value.name === '' ? 'a function' : `the function ${value.name}`;
  }
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (value instanceof RegExp || value instanceof Error) return String(value);
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch {
    text = 'an object that contains itself';
  }
  if (typeof value === 'number' && !Number.isFinite(value)) text = String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** What kind of thing a value is: `a string`, `a list`, ... */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'undefined';
  if (Array.isArray(value)) return 'a list';
  const type = typeof value;
  return type === 'object' || type === 'undefined' ? 'an object' : `a ${type}`;
}

/** `a, b and c` */
export function listed(words: readonly string[], last = 'and'): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
