// .csv and .tsv with a header row, parsed by csv-parse; every value is a string.
import { CsvError, parse } from 'csv-parse';
import * as errors from '../errors.ts';
import { readChunks } from './chunks.ts';
import type { Fields, RawRecord, Reader, ReadRequest } from './reader.ts';

async function* readCsv(request: ReadRequest, delimiter: string): AsyncGenerator<RawRecord> {
  const parser = parse({ columns: true, delimiter, info: true, skip_empty_lines: true });
  const feeding = feed();
  feeding.catch((error: Error) => parser.destroy(error));
  try {
    for await (const row of parser) {
      const { record, info } = row as { record: Fields; info: { lines: number } };
      yield { value: record, origin: { file: request.name, line: info.lines } };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error['lines'] === 'number' ? error['lines'] : undefined;
    throw errors.syntax({ file: request.name, ...(line === undefined ? {} : { line }) }, `is not valid CSV: ${error.message}.`, error);
  } finally {
    parser.destroy();
  }

  async function feed(): Promise<void> {
    for await (const chunk of readChunks(request)) {
      if (parser.destroyed) return;
      if (!parser.write(chunk)) await new Promise<void>((resolve) => parser.once('drain', resolve).once('close', resolve));
    }
    parser.end();
  }
}

export const csv: Reader = { extensions: ['.csv'], read: (request) => readCsv(request, ',') };
export const tsv: Reader = { extensions: ['.tsv'], read: (request) => readCsv(request, '\t') };
