// Whether two texts are equal, but for what a task ignores.
import type { ExactMatchOptions } from '../generate-task.ts';
import { pythonRegex } from '../python-regex.ts';

const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** Whether they are equal. */
export function exactMatch(found: string, right: string, options: ExactMatchOptions): boolean {
  return reduced(found, options) === reduced(right, options);
}

function reduced(text: string, options: ExactMatchOptions): string {
  const { regexesToIgnore, ignoreCase, ignorePunctuation, ignoreNumbers } = options;
  let found = regexesToIgnore.reduce((left, one) => left.replace(pythonRegex(one), ''), text);
  if (ignoreCase) found = found.toLowerCase();
  if (ignorePunctuation) found = found.replace(PUNCTUATION, '');
  return ignoreNumbers ? found.replace(/[0-9]/g, '') : found;
}
