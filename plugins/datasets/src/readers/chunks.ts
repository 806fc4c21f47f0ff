// A text file as a stream of string chunks or lines: gunzipped where it ends in .gz, checked to be
// UTF-8, without a byte order mark.
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import * as errors from '../errors.ts';
import type { ReadRequest } from './reader.ts';

/** Bytes read at a time: small enough that huge files do not matter, large enough to be fast. */
const CHUNK = 1 << 18;

/**
 * The file's text in chunks; never more than a few chunks are in memory. Throws
 * LMFLOW_DATASET_ENCODING and LMFLOW_DATASET_UNREADABLE.
 */
export async function* readChunks(request: ReadRequest): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let first = true;
  let bytes = 0;
  for await (const chunk of byteChunks(request)) {
    request.signal?.throwIfAborted();
    if (
      first &&
      ((chunk[0] === 0xff && chunk[1] === 0xfe) || (chunk[0] === 0xfe && chunk[1] === 0xff))
    ) {
      throw errors.encoding(request.name, 'is UTF-16');
    }
    first = false;
    yield decode(chunk, true);
    bytes += chunk.length;
  }
  yield decode(undefined, false);

  function decode(chunk: Buffer | undefined, stream: boolean): string {
    try {
      return decoder.decode(chunk, { stream });
    } catch {
      throw errors.encoding(request.name, `is not valid UTF-8 (near byte ${bytes})`);
    }
  }
}

async function* byteChunks(request: ReadRequest): AsyncGenerator<Buffer> {
  const file = createReadStream(request.path, { highWaterMark: CHUNK });
  // pipeline hands the file's errors on to the unzipped stream, where the loop below meets them
  const stream = request.path.endsWith('.gz')
    ? pipeline(file, createGunzip({ chunkSize: CHUNK }), () => undefined)
    : file;
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    throw errors.unreadable(request.name, cause);
  } finally {
    file.destroy();
  }
}

/** Lines with their number (1-based), without line ends. */
export async function* readLines(
  request: ReadRequest,
): AsyncGenerator<readonly [line: string, number: number]> {
  let rest = '';
  let number = 0;
  for await (const chunk of readChunks(request)) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield [line.endsWith('\r') ? line.slice(0, -1) : line, ++number];
  }
  if (rest !== '') yield [rest, number + 1];
}
