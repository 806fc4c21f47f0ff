// Strings by code points, as Python counts them; JavaScript counts UTF-16 units.

const SURROGATE = /[\ud800-\udfff]/;

/** Whether code points and units differ in a text. */
const hasSurrogates = (text: string): boolean => SURROGATE.test(text);

/** Length in code points. */
export function length(text: string): number {
  if (!hasSurrogates(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The code points, each as a string. */
export const points = (text: string): string[] =>
  hasSurrogates(text) ? Array.from(text) : text.split('');

/** Part of a text by code points; 0 <= start, stop. */
export function slice(text: string, start: number, stop: number): string {
  if (!hasSurrogates(text)) return text.slice(start, Math.max(start, stop));
  return Array.from(text).slice(start, Math.max(start, stop)).join('');
}

/** Below 0, 0 or above: by code points. */
export function compare(left: string, right: string): number {
  if (left === right) return 0;
  if (!hasSurrogates(left) && !hasSurrogates(right)) return left < right ? -1 : 1;
  const [a, b] = [Array.from(left), Array.from(right)];
  for (let at = 0; at < a.length && at < b.length; at++) {
    const difference = a[at]!.codePointAt(0)! - b[at]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
