// A data file as readers get it: its text in chunks or lines, and errors that name it.
import type { DatasetFile } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { readChunks, readLines } from './chunks.ts';

/** Where a data file is and how messages call it. */
export interface DataFile {
  readonly path: string;
  readonly name: string;
}

/** How it is read. */
export interface ReadSettings {
  readonly sampleBy: DatasetFile['sampleBy'];
  readonly signal?: AbortSignal | undefined;
}

/** A file to be read once. */
export function datasetFile(
  { path, name }: DataFile,
  { sampleBy, signal }: ReadSettings,
): DatasetFile {
  const request = { path, name, signal };
  return {
    path,
    name,
    sampleBy,
    header: {},
    ...(signal ? { signal } : {}),
    text: () => readChunks(request),
    lines: () => readLines(request),
    fail: (place, problem, options) => {
      throw errors.syntax({ file: name, ...place }, problem, options);
    },
  };
}
