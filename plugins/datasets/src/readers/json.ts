// .json (a list, an LMFlow object, or objects one after another) and .jsonl (one object a line),
// streamed record by record.
import {
  isFields,
  parseJson,
  type DatasetFile,
  type DatasetReader,
  type RawRecord,
  type RecordOrigin,
} from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { recordFields } from '../formats/json-values.ts';
import { JsonSplitter } from './splitter.ts';

async function* readJson(file: DatasetFile): AsyncGenerator<RawRecord> {
  const splitter = new JsonSplitter(file.name);
  const records = function* (pieces: ReturnType<JsonSplitter['push']>): Generator<RawRecord> {
    file.header.type = splitter.members['type'];
    for (const { text, index, line } of pieces) yield parseRecord(file, text, { index, line });
  };
  for await (const chunk of file.text()) yield* records(splitter.push(chunk));
  yield* records(splitter.end());
}

async function* readJsonLines(file: DatasetFile): AsyncGenerator<RawRecord> {
  for await (const [text, line] of file.lines()) {
    if (text.trim() === '') continue;
    if (line === 1 && /^\s*\[\s*$/.test(text)) {
      file.fail({ line }, 'is the beginning of a list, but a .jsonl file has one record a line', {
        hint: 'Rename it to .json.',
      });
    }
    yield parseRecord(file, text, { line });
  }
}

function parseRecord(
  file: DatasetFile,
  text: string,
  place: Omit<RecordOrigin, 'file'>,
): RawRecord {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    file.fail(place, `is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  const origin = { file: file.name, ...place };
  if (!isFields(value)) throw errors.notObject(origin, value);
  return { value: recordFields(value), origin };
}

/** `.json` */
export const json: DatasetReader = {
  name: 'json',
  extensions: ['.json'],
  gzip: true,
  open: readJson,
};

/** `.jsonl` */
export const jsonLines: DatasetReader = {
  name: 'jsonl',
  extensions: ['.jsonl', '.ndjson'],
  gzip: true,
  open: readJsonLines,
};
