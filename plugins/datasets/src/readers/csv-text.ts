// The text of a CSV file, cut only where a record ends, so that one without end is told before the
// parser, which is much slower, gets it. What the text means is the parser's.
import type { DatasetFile } from '@lmflow/sdk';
import { LONGEST_VALUE } from './chunks.ts';

const QUOTE = 34;
const LINE_FEED = 10;
const RETURN = 13;

/** Text of whole records. */
export interface CsvText {
  /** What ends the first record; undefined where nothing does. */
  readonly lineEnd: string | undefined;
  /** In pieces; a record may have many. */
  readonly pieces: AsyncIterable<string>;
}

/** Reads up to the end of the first record. Fails where a record is longer than LONGEST_VALUE. */
export async function csvText(file: DatasetFile): Promise<CsvText> {
  const cutter = new RecordCutter(file);
  const pieces = cutter.pieces();
  const first = await pieces.next();
  const all = async function* (): AsyncGenerator<string> {
    if (!first.done) yield first.value;
    yield* pieces;
  };
  return { lineEnd: cutter.lineEnd, pieces: all() };
}

class RecordCutter {
  lineEnd: string | undefined;
  readonly #file: DatasetFile;
  #quoted = false;
  /** The character before, outside of quotes. */
  #before = 0;
  #line = 1;

  constructor(file: DatasetFile) {
    this.#file = file;
  }

  async *pieces(): AsyncGenerator<string> {
    let held: string[] = [];
    let length = 0;
    let line = 1;
    for await (const chunk of this.#file.text()) {
      const end = this.#lastEnd(chunk);
      if (end > 0) {
        yield* held;
        yield chunk.slice(0, end);
        [held, length, line] = [[], 0, this.#line];
      }
      held.push(chunk.slice(end));
      length += chunk.length - end;
      if (length > LONGEST_VALUE) {
        this.#file.fail({ line }, 'a record is longer than 256 MB; is a quote not closed?');
      }
    }
    yield* held;
  }

  /** Where the last record that ends in a chunk ends: 0 for none. */
  #lastEnd(chunk: string): number {
    let end = 0;
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at);
      if (this.#before === RETURN && code !== LINE_FEED) {
        end = at;
        this.lineEnd ??= '\r';
      }
      if (code === QUOTE) this.#quoted = !this.#quoted;
      else if (code === LINE_FEED) {
        this.#line++;
        if (!this.#quoted) {
          end = at + 1;
          this.lineEnd ??= this.#before === RETURN ? '\r\n' : '\n';
        }
      }
      this.#before = this.#quoted ? 0 : code;
    }
    return end;
  }
}
