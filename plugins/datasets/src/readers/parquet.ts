// .parquet, read one row group at a time by hyparquet.
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  type FileMetaData,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { DatasetFile, DatasetReader, RawRecord, RecordFields } from '@lmflow/sdk';
import * as errors from '../errors.ts';

async function* readParquet(source: DatasetFile): AsyncGenerator<RawRecord> {
  const { file, metadata } = await open(source);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    source.signal?.throwIfAborted();
    const rowEnd = rowStart + Number(group.num_rows);
    let rows: RecordFields[];
    try {
      rows = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
    } catch (cause) {
      throw errors.unreadable(source.name, cause);
    }
    for (const [offset, row] of rows.entries()) {
      yield {
        value: plain(row) as RecordFields,
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

/** 64-bit integers as numbers: JSON has nothing else, and formats compare with numbers. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (
    typeof value !== 'object' ||
    value === null ||
    Object.getPrototypeOf(value) !== Object.prototype
  ) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

/** `.parquet`, which is compressed inside. */
export const parquet: DatasetReader = {
  name: 'parquet',
  extensions: ['.parquet'],
  open: readParquet,
  count: async (file) => Number((await open(file)).metadata.num_rows),
};
