// Reading safetensors files: the header at once, tensors when asked for. An engine maps the file
// itself; see weightSource.
import { open, type FileHandle } from 'node:fs/promises';
import { checkRegular } from '../files/index.ts';
import { sizeOf, type FileWeight, type WeightSource } from '../graph/index.ts';
import { SAFETENSORS_DTYPES, isSafetensorsDtype, type SafetensorsDtype } from './dtypes.ts';
import {
  safetensorsDtype,
  safetensorsTensorMissing,
  safetensorsTruncated,
  safetensorsUnreadable,
} from './errors.ts';
import { fromBfloat16, fromFloat16 } from './float.ts';
import { readHeader, type SafetensorsHeader, type TensorEntry } from './header.ts';

/** Tensors by name, as float32, row-major. */
export type TensorFile = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array }
>;

/** A safetensors file whose header was read. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    readonly header: SafetensorsHeader,
  ) {}

  /** Reads and checks the header; throws LMFLOW_SAFETENSORS_* naming file and tensor. */
  static async open(path: string): Promise<SafetensorsFile> {
    return new SafetensorsFile(path, await withFile(path, (handle) => readHeader(path, handle)));
  }

  get tensors(): ReadonlyMap<string, TensorEntry> {
    return this.header.tensors;
  }
  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata;
  }

  /** The numbers of one tensor as float32 (16-bit floats, doubles and integers are converted). */
  async read(name: string): Promise<Float32Array> {
    const { entry, dtype } = this.#readable(name);
    return withFile(this.path, (handle) =>
      readNumbers(this.path, handle, entry.offset, sizeOf(entry.shape), dtype),
    );
  }

  /** Every tensor as float32: for small files (adapters, optimizer states). */
  async readAll(): Promise<TensorFile> {
    return withFile(this.path, async (handle) => {
      const result = new Map<
        string,
        { readonly shape: readonly number[]; readonly data: Float32Array }
      >();
      for (const name of this.tensors.keys()) {
        const { entry, dtype } = this.#readable(name);
        result.set(name, {
          shape: entry.shape,
          data: await readNumbers(this.path, handle, entry.offset, sizeOf(entry.shape), dtype),
        });
      }
      return result;
    });
  }

  /**
   * Where a tensor's numbers are, for `graph.weight`; undefined where tensor programs have no such
   * element type (F64, I16): read it instead.
   */
  weightSource(name: string): WeightSource | undefined {
    const { entry, dtype } = this.#readable(name);
    const type = SAFETENSORS_DTYPES[dtype].graph;
    return (
      type && {
        kind: 'file',
        path: this.path,
        offset: entry.offset,
        byteLength: entry.byteLength,
        dtype: type,
        shape: entry.shape,
      }
    );
  }

  #readable(name: string): { readonly entry: TensorEntry; readonly dtype: SafetensorsDtype } {
    const entry = this.tensors.get(name);
    if (!entry) throw safetensorsTensorMissing(this.path, name);
    if (!isSafetensorsDtype(entry.dtype)) {
      throw safetensorsDtype(this.path, name, entry.dtype, Object.keys(SAFETENSORS_DTYPES));
    }
    return { entry, dtype: entry.dtype };
  }
}

/** Every tensor of a file as float32. */
export async function readSafetensors(path: string): Promise<TensorFile> {
  return (await SafetensorsFile.open(path)).readAll();
}

/**
 * The numbers of a weight, wherever they are, as float32. An array in memory is given itself, not a
 * copy.
 */
export async function readWeight(weight: WeightSource): Promise<Float32Array> {
  if (weight.kind === 'memory') {
    const { data, dtype } = weight;
    if (data instanceof Float32Array) return data;
    if (data instanceof Uint16Array && dtype === 'bfloat16') return fromBfloat16(data);
    if (data instanceof Uint16Array && dtype === 'float16') return fromFloat16(data);
    return data instanceof BigInt64Array
      ? Float32Array.from(data, Number)
      : Float32Array.from(data);
  }
  const dtype = (Object.keys(SAFETENSORS_DTYPES) as SafetensorsDtype[]).find(
    (name) => SAFETENSORS_DTYPES[name].graph === weight.dtype,
  )!;
  return withFile(weight.path, (handle) =>
    readNumbers(weight.path, handle, weight.offset, sizeOf(weight.shape), dtype),
  );
}

/** The bytes of a weight in a file, as they are stored. */
export async function readBytes({ path, offset, byteLength }: FileWeight): Promise<Uint8Array> {
  const bytes = new Uint8Array(byteLength);
  await withFile(path, async (handle) => {
    for (let done = 0; done < byteLength; done += CHUNK) {
      await readFully(path, handle, bytes.subarray(done, done + CHUNK), offset + done);
    }
  });
  return bytes;
}

// A multiple of every element's size; also keeps reads under Node's limit of 2 GiB.
const CHUNK = 1 << 24;

async function readNumbers(
  path: string,
  handle: FileHandle,
  offset: number,
  count: number,
  dtype: SafetensorsDtype,
): Promise<Float32Array> {
  const target = new Float32Array(count);
  const { bytes, convert } = SAFETENSORS_DTYPES[dtype];
  const direct = dtype === 'F32' ? new Uint8Array(target.buffer) : undefined;
  const buffer = direct ?? new Uint8Array(Math.min(CHUNK, count * bytes));
  for (let done = 0; done < count * bytes;) {
    const length = Math.min(CHUNK, count * bytes - done);
    const into = direct ? direct.subarray(done, done + length) : buffer.subarray(0, length);
    await readFully(path, handle, into, offset + done);
    if (!direct) convert(into, target.subarray(done / bytes, (done + length) / bytes));
    done += length;
  }
  return target;
}

async function readFully(
  path: string,
  handle: FileHandle,
  into: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw safetensorsTruncated(path, position + into.length, position + done);
    done += bytesRead;
  }
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  try {
    checkRegular(path);
    handle = await open(path);
  } catch (error) {
    throw safetensorsUnreadable(path, error);
  }
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}
