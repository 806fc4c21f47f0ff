// .csv and .tsv with a header row, parsed by csv-parse; every value is a string.
import { Readable, pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import * as errors from '../errors.ts';
import { readChunks } from './chunks.ts';
import type { Fields, RawRecord, Reader, ReadRequest } from './reader.ts';

async function* readCsv(request: ReadRequest, delimiter: string): AsyncGenerator<RawRecord> {
  // pipeline hands errors of reading on to the parser, where the loop below meets them, and ends
  // reading where the loop ends early
  const parser = pipeline(
    Readable.from(readChunks(request)),
    parse({ columns: true, delimiter, info: true, skip_empty_lines: true }),
    () => undefined,
  );
  try {
    for await (const row of parser) {
      const { record, info } = row as { record: Fields; info: { lines: number } };
      yield { value: record, origin: { file: request.name, line: info.lines } };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error['lines'] === 'number' ? error['lines'] : undefined;
    throw errors.syntax(
      { file: request.name, ...(line === undefined ? {} : { line }) },
      `is not valid CSV: ${error.message}.`,
      error,
    );
  } finally {
    parser.destroy();
  }
}

export const csv: Reader = { extensions: ['.csv'], read: (request) => readCsv(request, ',') };
export const tsv: Reader = { extensions: ['.tsv'], read: (request) => readCsv(request, '\t') };
