// The header of a safetensors file: parsed and checked (types, sizes, offsets, overlaps, gaps). It
// reads no numbers. Format: https://github.com/huggingface/safetensors#format: u64 length of the
// JSON, the JSON, the data.
import type { FileHandle } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import { sizeOf, type Shape } from '../graph/index.ts';
import { safetensorsInvalid, safetensorsTruncated } from './errors.ts';
import { OPAQUE_DTYPES, SAFETENSORS_DTYPES, isSafetensorsDtype } from './dtypes.ts';

/** One tensor of a file. */
export interface TensorEntry {
  readonly name: string;
  /** As the file says: F32, F16, BF16, ... */
  readonly dtype: string;
  readonly shape: Shape;
  /** Position of its first byte in the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/**
 * The header of a safetensors file: its free metadata, and each tensor's dtype, shape and place in
 * bytes.
 */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

const LONGEST = 100_000_000;

/**
 * Reads and checks the header of an open file; throws LMFLOW_SAFETENSORS_INVALID or
 * LMFLOW_SAFETENSORS_TRUNCATED naming file and tensor.
 */
export async function readHeader(file: string, handle: FileHandle): Promise<SafetensorsHeader> {
  const { size } = await handle.stat();
  const prefix = new DataView(new ArrayBuffer(8));
  if (size < 8) {
    throw safetensorsInvalid(file, `it has ${size} bytes, fewer than the 8 of the header's length`);
  }
  await handle.read(prefix, 0, 8, 0);
  const length = Number(prefix.getBigUint64(0, true));
  if (length > LONGEST) {
    throw safetensorsInvalid(
      file,
      `its header claims a length of ${length} bytes`,
      pointerHint(await start(handle)),
    );
  }
  if (8 + length > size) throw safetensorsTruncated(file, 8 + length, size);
  const bytes = new Uint8Array(length);
  await handle.read(bytes, 0, length, 8);
  return parseHeader(file, new TextDecoder().decode(bytes), 8 + length, size);
}

async function start(handle: FileHandle): Promise<string> {
  const bytes = Buffer.alloc(16);
  await handle.read(bytes, 0, bytes.length, 0);
  return bytes.toString('latin1');
}

function pointerHint(firstBytes: string): string | undefined {
  if (firstBytes.startsWith('version https://')) {
    return 'It is a Git LFS pointer: run "git lfs pull" in its repository.';
  }
  if (firstBytes.startsWith('PK') || firstBytes.startsWith('\x80')) {
    return 'It looks like a pickle file of PyTorch that was renamed.';
  }
  return undefined;
}

function parseHeader(
  file: string,
  text: string,
  dataStart: number,
  size: number,
): SafetensorsHeader {
  const header = parseObject(file, text);
  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(file, entry);
    else tensors.set(name, parseEntry(file, name, entry, dataStart));
  }
  checkLayout(file, [...tensors.values()], dataStart, size);
  return { metadata, tensors };
}

function parseObject(file: string, text: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw safetensorsInvalid(file, `its header is not JSON (${messageOf(error)})`);
  }
  if (!isRecord(header)) throw safetensorsInvalid(file, 'its header is not a JSON object');
  return header;
}

function parseMetadata(file: string, entry: unknown): Record<string, string> {
  if (!isRecord(entry) || Object.values(entry).some((value) => typeof value !== 'string')) {
    throw safetensorsInvalid(file, '__metadata__ must be an object of strings');
  }
  return entry as Record<string, string>;
}

function elementBytes(dtype: string): number | undefined {
  return isSafetensorsDtype(dtype) ? SAFETENSORS_DTYPES[dtype].bytes : OPAQUE_DTYPES[dtype];
}

function parseEntry(file: string, name: string, entry: unknown, dataStart: number): TensorEntry {
  if (!isRecord(entry)) throw safetensorsInvalid(file, `the entry of "${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const bytes = typeof dtype === 'string' ? elementBytes(dtype) : undefined;
  if (bytes === undefined) {
    throw safetensorsInvalid(
      file,
      `the tensor "${name}" has the unknown element type ${JSON.stringify(dtype)}`,
    );
  }
  if (!isCounts(shape)) {
    throw safetensorsInvalid(file, `the tensor "${name}" has the shape ${JSON.stringify(shape)}`);
  }
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[1]! < offsets[0]!) {
    throw safetensorsInvalid(
      file,
      `the tensor "${name}" has the data_offsets ${JSON.stringify(offsets)}`,
    );
  }
  const byteLength = offsets[1]! - offsets[0]!;
  const needed = sizeOf(shape) * bytes;
  if (byteLength !== needed) {
    throw safetensorsInvalid(
      file,
      `the tensor "${name}" (${String(dtype)} [${shape.join(', ')}]) needs ${needed} bytes, ` +
        `but its data_offsets span ${byteLength}`,
    );
  }
  return { name, dtype: dtype as string, shape, offset: dataStart + offsets[0]!, byteLength };
}

// The reference implementation allows neither gaps nor overlaps nor bytes after the last tensor.
function checkLayout(file: string, entries: TensorEntry[], dataStart: number, size: number): void {
  entries.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  let last = 'the header';
  for (const { name, offset, byteLength } of entries) {
    if (offset < end) throw safetensorsInvalid(file, `the tensors "${last}" and "${name}" overlap`);
    if (offset > end) {
      throw safetensorsInvalid(
        file,
        `there is a gap of ${offset - end} bytes between "${last}" and "${name}"`,
      );
    }
    end = offset + byteLength;
    last = name;
  }
  if (end > size) throw safetensorsTruncated(file, end, size);
  if (end < size) throw safetensorsInvalid(file, `${size - end} bytes follow its last tensor`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0)
  );
}
