// The table of file readers. A file's ending says which one reads it; what its records mean is for
// formats/ to say.
import { csv, tsv } from './csv.ts';
import { json, jsonLines } from './json.ts';
import { parquet } from './parquet.ts';
import type { Reader } from './reader.ts';
import { text } from './text.ts';

export const readers: readonly Reader[] = [json, jsonLines, text, csv, tsv, parquet];

/** All endings that can be read. */
export const extensions: readonly string[] = readers.flatMap((reader) => reader.extensions);

/**
 * The reader for a file name; undefined where there is none. `.gz` is looked through, except for
 * parquet, which is compressed inside.
 */
export function readerFor(name: string): Reader | undefined {
  const lower = name.toLowerCase();
  const plain = lower.endsWith('.gz') ? lower.slice(0, -3) : lower;
  const reader = readers.find((candidate) =>
    candidate.extensions.some((extension) => plain.endsWith(extension)),
  );
  return reader === parquet && plain !== lower ? undefined : reader;
}
