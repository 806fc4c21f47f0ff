// .txt: a file is one document, read in parts that end at paragraphs, so that a huge file is never
// in memory whole. With sampleBy 'paragraph' or 'line' each of those is a text of its own.
import { statSync } from 'node:fs';
import type { DatasetFile, DatasetReader, RawRecord } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { cut, partOf } from '../samples/text-parts.ts';
import { LONGEST_VALUE, rawLines } from './chunks.ts';

/**
 * About a hundred parts to a file, so that a validation split of one file is possible, within
 * reason for tokenization.
 */
const SMALLEST_PART = 1 << 11;
const LARGEST_PART = 1 << 16;

async function* readText(file: DatasetFile): AsyncGenerator<RawRecord> {
  if (file.sampleBy !== 'document') {
    yield* readUnits(file, file.sampleBy);
    return;
  }
  const size = Math.min(
    LARGEST_PART,
    Math.max(SMALLEST_PART, Math.ceil(statSync(file.path).size / 100)),
  );
  let text = '';
  let held: string | undefined;
  let index = 0;
  const part = (value: string, last: boolean): RawRecord => {
    const place = partOf(index === 0, last);
    return {
      value: { text: value },
      origin: { file: file.name, index: index++ },
      ...(place ? { part: place } : {}),
    };
  };
  for await (const chunk of file.text()) {
    text += chunk;
    let at = 0;
    for (let end = cut(text, at, size); end > at; end = cut(text, at, size)) {
      if (held !== undefined) yield part(held, false);
      held = text.slice(at, end);
      at = end;
    }
    text = text.slice(at);
  }
  if (held !== undefined && text.trim() === '') yield part(held + text, true);
  else {
    if (held !== undefined) yield part(held, false);
    if (text.trim() !== '') yield part(text, true);
  }
}

/** Lines, or paragraphs: what stands between lines of nothing but spaces. */
async function* readUnits(
  { path, name, signal }: DatasetFile,
  sampleBy: 'line' | 'paragraph',
): AsyncGenerator<RawRecord> {
  let index = 0;
  const unit = (text: string): RawRecord => ({
    value: { text },
    origin: { file: name, index: index++ },
  });
  let paragraph: string[] = [];
  let length = 0;
  for await (const [line] of rawLines({ path, name, signal })) {
    const empty = line.trim() === '';
    if (sampleBy === 'line') {
      if (!empty) yield unit(withoutReturn(line));
    } else if (!empty) {
      paragraph.push(line);
      length += line.length;
      if (length > LONGEST_VALUE) {
        throw errors.syntax({ file: name }, 'a paragraph is longer than 256 MB');
      }
    } else if (paragraph.length > 0) {
      yield unit(withoutReturn(paragraph.join('\n')));
      [paragraph, length] = [[], 0];
    }
  }
  if (paragraph.length > 0) yield unit(paragraph.join('\n'));
}

const withoutReturn = (text: string): string => text.replace(/\r$/, '');

/** `.txt` */
export const text: DatasetReader = {
  name: 'text',
  extensions: ['.txt', '.text'],
  gzip: true,
  sameKeys: true,
  open: readText,
};
