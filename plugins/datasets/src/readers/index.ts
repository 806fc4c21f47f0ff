// The built-in readers, as rows of DATASET_READERS.
import type { DatasetReader } from '@lmflow/sdk';
import { csv, tsv } from './csv.ts';
import { json, jsonLines } from './json.ts';
import { parquet } from './parquet.ts';
import { text } from './text.ts';

/** The readers of every type of file that is read without another plugin. */
export const datasetReaders: readonly DatasetReader[] = [json, jsonLines, text, csv, tsv, parquet];
