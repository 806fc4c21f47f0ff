// .csv and .tsv with a header row, parsed by csv-parse; every value is a string.
import { Readable, pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { LONGEST_VALUE } from './chunks.ts';
import { csvText } from './csv-text.ts';
import type { DatasetFile, DatasetReader, RawRecord, RecordFields } from '@lmflow/sdk';

async function* readCsv(file: DatasetFile, delimiter: string): AsyncGenerator<RawRecord> {
  const { lineEnd = '\n', pieces } = await csvText(file);
  // pipeline hands errors of reading on to the parser, where the loop below meets them, and ends
  // reading where the loop ends early
  const parser = pipeline(
    Readable.from(pieces),
    parse({
      columns: true,
      delimiter,
      record_delimiter: lineEnd, // to find it out takes the parser ten times as long
      info: true,
      skip_empty_lines: true,
      max_record_size: LONGEST_VALUE,
    }),
    () => undefined,
  );
  try {
    for await (const row of parser) {
      const { record, info } = row as { record: RecordFields; info: { lines: number } };
      yield { value: record, origin: { file: file.name, line: info.lines } };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error['lines'] === 'number' ? { line: error['lines'] } : {};
    file.fail(line, `is not valid CSV: ${error.message}`, { cause: error });
  } finally {
    parser.destroy();
  }
}

/** `.csv` */
export const csv: DatasetReader = {
  name: 'csv',
  extensions: ['.csv'],
  gzip: true,
  sameKeys: true,
  open: (file) => readCsv(file, ','),
};

/** `.tsv` */
export const tsv: DatasetReader = {
  name: 'tsv',
  extensions: ['.tsv'],
  gzip: true,
  sameKeys: true,
  open: (file) => readCsv(file, '\t'),
};
