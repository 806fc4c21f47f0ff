// .parquet, read one row group at a time by hyparquet.
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  type FileMetaData,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import * as errors from '../errors.ts';
import type { Fields, RawRecord, Reader, ReadRequest } from './reader.ts';

async function* readParquet(request: ReadRequest): AsyncGenerator<RawRecord> {
  const { file, metadata } = await open(request);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    request.signal?.throwIfAborted();
    const rowEnd = rowStart + Number(group.num_rows);
    let rows: Fields[];
    try {
      rows = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
    } catch (cause) {
      throw errors.unreadable(request.name, cause);
    }
    for (const [offset, row] of rows.entries()) {
      yield {
        value: plain(row) as Fields,
        origin: { file: request.name, index: rowStart + offset },
      };
    }
    rowStart = rowEnd;
  }
}

async function open(
  request: ReadRequest,
): Promise<{ file: Awaited<ReturnType<typeof asyncBufferFromFile>>; metadata: FileMetaData }> {
  try {
    const file = await asyncBufferFromFile(request.path);
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (cause) {
    throw errors.unreadable(request.name, cause);
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

export const parquet: Reader = {
  extensions: ['.parquet'],
  read: readParquet,
  count: async (request) => Number((await open(request)).metadata.num_rows),
};
