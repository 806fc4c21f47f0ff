// .parquet, read one row group at a time by hyparquet, in a process of its own.
import { isLMFlowError } from '@lmflow/sdk';
import type { DatasetFile, DatasetReader, RawRecord, RecordFields } from '@lmflow/sdk';
import type { SchemaTree } from 'hyparquet';
import * as errors from '../errors.ts';
import { ParquetProcess, type ParquetFooter } from './parquet-process.ts';
import { isDecimal, parquetValue } from './parquet-values.ts';

/** So many rows, and more rows than the file has bytes, are no data. */
const MOST_ROWS = 2 ** 20;
/** Nor is what decodes to so many bytes, and to so many times what is in the file. */
const BOMB = { bytes: 2 ** 30, times: 1000 };

async function* readParquet(source: DatasetFile): AsyncGenerator<RawRecord> {
  const decoder = await ParquetProcess.take();
  try {
    const { schema, groups, bytes } = await footerOf(decoder, source);
    let decoded = 0;
    let rowStart = 0;
    for (const [index, count] of groups.entries()) {
      let row = rowStart;
      for await (const block of decoder.rows(index, rowStart, rowStart + count)) {
        source.signal?.throwIfAborted();
        decoded += block.bytes;
        if (decoded > BOMB.bytes && decoded > BOMB.times * bytes) {
          throw errors.bomb(source.name, decoded, bytes);
        }
        for (const fields of block.rows) {
          const value = record(fields as RecordFields, schema);
          yield { value, origin: { file: source.name, index: row++ } };
        }
      }
      rowStart += count;
    }
  } catch (cause) {
    if (isLMFlowError(cause) || source.signal?.aborted) throw cause;
    throw errors.unreadable(source.name, cause);
  } finally {
    decoder.release();
  }
}

async function footerOf(
  decoder: ParquetProcess,
  { path, name }: DatasetFile,
): Promise<ParquetFooter> {
  const footer = await decoder.open(path);
  const rows = rowsOf(footer);
  if (!footer.groups.every((count) => count >= 0)) {
    throw new Error('a row group has fewer than no rows');
  }
  if (rows > MOST_ROWS && rows > footer.bytes) throw errors.rowBomb(name, rows, footer.bytes);
  return footer;
}

const rowsOf = ({ groups }: ParquetFooter): number => groups.reduce((sum, rows) => sum + rows, 0);

async function countRows(source: DatasetFile): Promise<number> {
  const decoder = await ParquetProcess.take();
  try {
    return rowsOf(await footerOf(decoder, source));
  } catch (cause) {
    if (isLMFlowError(cause)) throw cause;
    throw errors.unreadable(source.name, cause);
  } finally {
    decoder.release();
  }
}

/** A record: its own numbers are JavaScript's, as formats compare with them. */
function record(row: RecordFields, schema: SchemaTree): RecordFields {
  const types = new Map(schema.children.map((column) => [column.element.name, column]));
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' && !isDecimal(types.get(name)!)
        ? value
        : parquetValue(value, types.get(name)!),
    ]),
  );
}

/** `.parquet`, which is compressed inside. */
export const parquet: DatasetReader = {
  name: 'parquet',
  extensions: ['.parquet'],
  open: readParquet,
  count: countRows,
};
