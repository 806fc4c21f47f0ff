// {% generation %} ... {% endgeneration %}, with which a template's author says what the model
// writes: made visible in the rendered text.
const BEGIN_TAG = /\{%(-?)\s*generation\s*(-?)%\}/g;
const END_TAG = /\{%(-?)\s*endgeneration\s*(-?)%\}/g;
/** Private-use characters that a marked template prints around answers. */
const OPEN = '\uE0F0';
const CLOSE = '\uE0F1';

/**
 * The template with a character printed where each {% generation %} begins and ends; undefined where
 * it has none.
 */
export function markGeneration(template: string): string | undefined {
  if (template.search(BEGIN_TAG) < 0) return undefined;
  // block tags on both sides keep the whitespace control that the original tags had
  const print =
    (mark: string) =>
    (_: string, left: string, right: string): string =>
      `{%${left} if true %}{{ '${mark}' }}{% endif ${right}%}`;
  return template.replace(BEGIN_TAG, print(OPEN)).replace(END_TAG, print(CLOSE));
}

/** Whether a text has the characters that marks are made of. */
export const hasMarks = (text: string): boolean => text.includes(OPEN) || text.includes(CLOSE);

/** The text without marks, and what stood between them; an end of -1 where a mark is not closed. */
export function readMarks(marked: string): {
  readonly text: string;
  readonly marks: readonly (readonly [start: number, end: number])[];
} {
  const marks: [number, number][] = [];
  let text = '';
  for (const piece of marked.split(/([\uE0F0\uE0F1])/)) {
    if (piece === OPEN) marks.push([text.length, -1]);
    else if (piece === CLOSE) marks.at(-1)![1] = text.length;
    else text += piece;
  }
  return { text, marks };
}
