// .json (a list, an LMFlow object, or objects one after another) and .jsonl (one object a line),
// streamed record by record.
import type { RecordOrigin } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { readChunks, readLines } from './chunks.ts';
import { isFields, type RawRecord, type Reader, type ReadRequest } from './reader.ts';
import { JsonSplitter } from './splitter.ts';

async function* readJson(request: ReadRequest): AsyncGenerator<RawRecord> {
  const splitter = new JsonSplitter(request.name);
  const records = function* (pieces: ReturnType<JsonSplitter['push']>): Generator<RawRecord> {
    request.header.type = splitter.members['type'];
    for (const { text, index, line } of pieces) {
      yield parseRecord(text, { file: request.name, index, line });
    }
  };
  for await (const chunk of readChunks(request)) yield* records(splitter.push(chunk));
  yield* records(splitter.end());
}

async function* readJsonLines(request: ReadRequest): AsyncGenerator<RawRecord> {
  for await (const [text, line] of readLines(request)) {
    if (text.trim() === '') continue;
    if (line === 1 && /^\s*\[\s*$/.test(text)) {
      throw errors.syntax(
        { file: request.name, line },
        'is the beginning of a list, but a .jsonl file has one record a line. Rename it to .json.',
      );
    }
    yield parseRecord(text, { file: request.name, line });
  }
}

function parseRecord(text: string, origin: RecordOrigin): RawRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw errors.syntax(origin, `is not valid JSON: ${(cause as Error).message}.`, cause);
  }
  if (!isFields(value)) throw errors.notObject(origin, value);
  return { value, origin };
}

export const json: Reader = { extensions: ['.json'], read: readJson };
export const jsonLines: Reader = { extensions: ['.jsonl', '.ndjson'], read: readJsonLines };
