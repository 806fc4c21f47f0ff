// Which reader a file is for: its ending says so.
import type { DatasetReader } from '@lmflow/sdk';

/** The readers that are known. */
export class ReaderTable {
  /** All endings that can be read. */
  readonly extensions: readonly string[];
  private readonly readers: readonly DatasetReader[];

  /** Of readers with one ending, the last one is taken. */
  constructor(readers: Iterable<DatasetReader>) {
    this.readers = [...readers];
    this.extensions = this.readers.flatMap((reader) => reader.extensions);
  }

  /**
   * The reader for a file name; undefined where there is none. `.gz` is looked through for readers
   * of text.
   */
  for(name: string): DatasetReader | undefined {
    const lower = name.toLowerCase();
    const zipped = lower.endsWith('.gz');
    const inner = zipped ? lower.slice(0, -'.gz'.length) : lower;
    const reads = (reader: DatasetReader, file: string): boolean =>
      reader.extensions.some((extension) => file.endsWith(extension));
    return this.readers.findLast(
      (reader) => reads(reader, lower) || (zipped && reader.gzip === true && reads(reader, inner)),
    );
  }
}
