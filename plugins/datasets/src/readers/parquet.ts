// .parquet, read one row group at a time by hyparquet.
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type FileMetaData,
  type SchemaTree,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import {
  parseJson,
  type DatasetFile,
  type DatasetReader,
  type RawRecord,
  type RecordFields,
} from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { parquetValue } from './parquet-values.ts';

/** Columns that hold JSON keep its digits. */
const parsers = {
  jsonFromBytes: (bytes: Uint8Array | undefined): unknown =>
    bytes && parseJson(new TextDecoder().decode(bytes)),
};

async function* readParquet(source: DatasetFile): AsyncGenerator<RawRecord> {
  const { file, metadata } = await open(source);
  const schema = parquetSchema(metadata);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    source.signal?.throwIfAborted();
    const rowEnd = rowStart + Number(group.num_rows);
    let rows: RecordFields[];
    try {
      rows = await parquetReadObjects({ file, metadata, compressors, parsers, rowStart, rowEnd });
    } catch (cause) {
      throw errors.unreadable(source.name, cause);
    }
    for (const [offset, row] of rows.entries()) {
      yield {
        value: record(row, schema),
        origin: { file: source.name, index: rowStart + offset },
      };
    }
    rowStart = rowEnd;
  }
}

async function open({ path, name }: DatasetFile): Promise<{
  file: Awaited<ReturnType<typeof asyncBufferFromFile>>;
  metadata: FileMetaData;
}> {
  try {
    const file = await asyncBufferFromFile(path);
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (cause) {
    throw errors.unreadable(name, cause);
  }
}

/** A record: its own numbers are JavaScript's, as formats compare with them. */
function record(row: RecordFields, schema: SchemaTree): RecordFields {
  const types = new Map(schema.children.map((column) => [column.element.name, column]));
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' ? value : parquetValue(value, types.get(name)!),
    ]),
  );
}

/** `.parquet`, which is compressed inside. */
export const parquet: DatasetReader = {
  name: 'parquet',
  extensions: ['.parquet'],
  open: readParquet,
  count: async (file) => Number((await open(file)).metadata.num_rows),
};
