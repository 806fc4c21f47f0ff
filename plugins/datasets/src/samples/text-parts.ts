// Where a long text may be cut into parts so that tokens hardly notice: between paragraphs, else
// lines, sentences, words.

import type { DocumentPart } from '@lmflow/sdk';

/**
 * Places where a text may be cut, best first: after a blank line, a line, a sentence's space, any
 * space.
 */
const CUTS = [/\n[^\S\n]*\n\s*/g, /\n\s*/g, /[.!?]\s+/g, /\s+/g] as const;

/**
 * The end of a part of about `size` that begins at `from`; `from` where there is not enough text
 * yet.
 */
export function cut(text: string, from: number, size: number): number {
  if (text.length - from < 2 * size) return from;
  const window = text.slice(from + (size >>> 1), from + size);
  for (const pattern of CUTS) {
    const last = [...window.matchAll(pattern)].at(-1);
    // a match that touches the window's end may go on behind it: the cut must not fall inside white
    // space
    if (last && last.index + last[0].length < window.length) {
      return from + (size >>> 1) + last.index + last[0].length;
    }
  }
  const end = from + size;
  const code = text.charCodeAt(end - 1);
  return code >= 0xd800 && code < 0xdc00 ? end - 1 : end;
}

/** A text in parts of about `size` UTF-16 units; joined they are the text again. */
export function parts(text: string, size: number): string[] {
  const result: string[] = [];
  let from = 0;
  for (let end = cut(text, from, size); end > from; end = cut(text, from, size)) {
    result.push(text.slice(from, end));
    from = end;
  }
  result.push(text.slice(from));
  return result;
}

/** Which part of a document comes first, last, or between; undefined for the whole of it. */
export function partOf(first: boolean, last: boolean): DocumentPart | undefined {
  if (last) return first ? undefined : 'last';
  return first ? 'first' : 'middle';
}
