// A text file as a stream of string chunks or lines: gunzipped where it ends in .gz, checked to be
// UTF-8, without a byte order mark.
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import * as errors from '../errors.ts';

/** A file of text. */
export interface TextFile {
  readonly path: string;
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

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
  const file = createReadStream(path, { highWaterMark: CHUNK });
  // pipeline hands the file's errors on to the unzipped stream, where the loop below meets them
  const stream = path.endsWith('.gz')
    ? pipeline(file, createGunzip({ chunkSize: CHUNK }), () => undefined)
    : file;
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    throw errors.unreadable(name, cause);
  } finally {
    file.destroy();
  }
}

/** Lines with their number (1-based), without line ends. */
export async function* readLines(
  file: TextFile,
): AsyncGenerator<readonly [line: string, number: number]> {
  let rest = '';
  let number = 0;
  for await (const chunk of readChunks(file)) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield [line.endsWith('\r') ? line.slice(0, -1) : line, ++number];
  }
  if (rest !== '') yield [rest, number + 1];
}
