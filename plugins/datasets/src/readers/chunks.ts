// A text file as a stream of string chunks or lines: gunzipped where it ends in .gz, checked to be
// UTF-8, without a byte order mark.
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { isLMFlowError } from '@lmflow/sdk';
import * as errors from '../errors.ts';

/** A file of text. */
export interface TextFile {
  readonly path: string;
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/** The longest value of JSON, line or record, in characters: 256 MB of plain letters. */
export const LONGEST_VALUE = 2 ** 28;

/** Text that unpacks to so much, and to so many times what is in the file, is no data. */
const BOMB = { bytes: 2 ** 28, times: 200 };

/** Bytes read at a time: small enough that huge files do not matter, large enough to be fast. */
const CHUNK = 1 << 18;

/**
 * The file's text in chunks; never more than a few chunks are in memory. Throws
 * LMFLOW_DATASET_ENCODING and LMFLOW_DATASET_UNREADABLE.
 */
export async function* readChunks(file: TextFile): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  for await (const chunk of byteChunks(file)) {
    file.signal?.throwIfAborted();
    if (bytes === 0 && isUtf16(chunk)) throw errors.encoding(file.name, 'is UTF-16');
    yield decode(chunk, true);
    bytes += chunk.length;
  }
  yield decode(undefined, false);

  function decode(chunk: Buffer | undefined, stream: boolean): string {
    try {
      return decoder.decode(chunk, { stream });
    } catch {
      throw errors.encoding(file.name, `is not valid UTF-8 (near byte ${bytes})`);
    }
  }
}

/** Whether a file begins with the byte order mark of UTF-16. */
const isUtf16 = ([first, second]: Buffer): boolean =>
  (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);

async function* byteChunks({ path, name }: TextFile): AsyncGenerator<Buffer> {
  let unpacked = 0;
  const file = createReadStream(path, { highWaterMark: CHUNK });
  // pipeline hands the file's errors on to the unzipped stream, where the loop below meets them
  const stream = path.endsWith('.gz')
    ? pipeline(file, createGunzip({ chunkSize: CHUNK }), () => undefined)
    : file;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      unpacked += chunk.length;
      if (unpacked > BOMB.bytes && unpacked > BOMB.times * file.bytesRead) {
        throw errors.bomb(name, unpacked, file.bytesRead);
      }
      yield chunk;
    }
  } catch (cause) {
    if (isLMFlowError(cause)) throw cause;
    throw errors.unreadable(name, cause);
  } finally {
    file.destroy();
  }
}

/**
 * Lines with their number (1-based), without line ends; of empty lines that follow each other the
 * first. Throws LMFLOW_DATASET_SYNTAX for one that is longer than LONGEST_VALUE.
 */
export async function* readLines(
  file: TextFile,
): AsyncGenerator<readonly [line: string, number: number]> {
  for await (const [line, number] of rawLines(file)) {
    yield [line.endsWith('\r') ? line.slice(0, -1) : line, number];
  }
}

/**
 * As `readLines`, with the carriage return that ends some lines. The beginning of a line is never
 * copied twice.
 */
export async function* rawLines(
  file: TextFile,
): AsyncGenerator<readonly [line: string, number: number]> {
  let parts: string[] = [];
  let length = 0;
  let number = 0;
  let wasEmpty = false;
  for await (const chunk of readChunks(file)) {
    const lines = chunk.split('\n');
    const rest = lines.pop()!;
    for (const last of lines) {
      number++;
      const line = parts.length > 0 ? parts.join('') + last : last;
      [parts, length] = [[], 0];
      if (line !== '' || !wasEmpty) yield [line, number];
      wasEmpty = line === '';
    }
    if (rest === '') continue;
    parts.push(rest);
    length += rest.length;
    if (length > LONGEST_VALUE) {
      throw errors.syntax({ file: file.name, line: number + 1 }, 'is longer than 256 MB');
    }
  }
  if (parts.length > 0) yield [parts.join(''), number + 1];
}
