// Writes the GGUF container, version 3, tensor by tensor: header, typed metadata, tensor
// descriptions, aligned data. Not what a model puts into it. Not with @huggingface/gguf, which
// writes no tensors. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
import { writeFileInParts } from '@lmflow/sdk/files';
import type { TensorType } from './types.ts';

/** Ids of metadata types. */
const TYPES = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8 } as const;
const ARRAY = 9;

export type Scalar =
  | { readonly type: 'uint32' | 'int32' | 'float32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string };
export type List =
  | { readonly list: 'int32' | 'float32' | 'uint32'; readonly values: ArrayLike<number> }
  | { readonly list: 'string'; readonly values: readonly string[] };
export type Metadata = ReadonlyMap<string, Scalar | List>;

export const uint32 = (value: number): Scalar => ({ type: 'uint32', value });
export const float32 = (value: number): Scalar => ({ type: 'float32', value });
export const bool = (value: boolean): Scalar => ({ type: 'bool', value });
export const text = (value: string): Scalar => ({ type: 'string', value });

/** A tensor of the file; `shape` is row-major, and the file has it reversed. */
export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** The encoded numbers; called once, when the tensor is written. */
  data(): Promise<Uint8Array>;
}

const ALIGNMENT = 32;
const aligned = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

/** Bytes of a tensor's data. */
export function byteLength({ shape, type }: Pick<GgufTensor, 'shape' | 'type'>): number {
  return (shape.reduce((a, b) => a * b, 1) / type.block) * type.bytes;
}

/** Writes the file; resolves to its size in bytes. */
export async function writeGguf(
  path: string,
  metadata: Metadata,
  tensors: readonly GgufTensor[],
): Promise<number> {
  return writeFileInParts(path, async (file) => {
    await file.write(header(metadata, tensors));
    for (const tensor of tensors) {
      const data = await tensor.data();
      if (data.length !== byteLength(tensor)) {
        throw new Error(`${tensor.name}: ${data.length} bytes for ${byteLength(tensor)}`);
      }
      await file.write(data);
      await file.write(new Uint8Array(aligned(data.length) - data.length));
    }
    return file.size;
  });
}

function header(metadata: Metadata, tensors: readonly GgufTensor[]): Uint8Array {
  const bytes = new Bytes();
  bytes.raw(new TextEncoder().encode('GGUF'));
  bytes.number('uint32', 3);
  bytes.long(tensors.length);
  bytes.long(metadata.size);
  for (const [key, value] of metadata) {
    bytes.string(key);
    if ('list' in value) {
      bytes.number('uint32', ARRAY);
      bytes.number('uint32', TYPES[value.list]);
      bytes.long(value.values.length);
      for (let index = 0; index < value.values.length; index++) {
        bytes.scalar({ type: value.list, value: value.values[index] } as Scalar);
      }
    } else {
      bytes.number('uint32', TYPES[value.type]);
      bytes.scalar(value);
    }
  }
  let offset = 0;
  for (const tensor of tensors) {
    const { name, shape, type } = tensor;
    bytes.string(name);
    bytes.number('uint32', shape.length);
    for (const size of [...shape].reverse()) bytes.long(size);
    bytes.number('uint32', type.id);
    bytes.long(offset);
    offset += aligned(byteLength(tensor));
  }
  bytes.raw(new Uint8Array(aligned(bytes.length) - bytes.length));
  return bytes.done();
}

/** A growing little-endian buffer. */
class Bytes {
  #buffer = new Uint8Array(1 << 16);
  #view = new DataView(this.#buffer.buffer);
  length = 0;

  raw(bytes: Uint8Array): void {
    const place = this.#advance(bytes.length); // first: it may take a larger buffer
    this.#buffer.set(bytes, place);
  }

  number(type: 'uint32' | 'int32' | 'float32', value: number): void {
    const place = this.#advance(4);
    if (type === 'float32') this.#view.setFloat32(place, value, true);
    else if (type === 'int32') this.#view.setInt32(place, value, true);
    else this.#view.setUint32(place, value, true);
  }

  long(value: number): void {
    const place = this.#advance(8);
    this.#view.setBigUint64(place, BigInt(value), true);
  }

  string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.long(bytes.length);
    this.raw(bytes);
  }

  scalar(scalar: Scalar): void {
    if (scalar.type === 'string') this.string(scalar.value);
    else if (scalar.type === 'bool') this.raw(Uint8Array.of(Number(scalar.value)));
    else this.number(scalar.type, scalar.value);
  }

  done(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  #advance(count: number): number {
    const place = this.length;
    this.length += count;
    if (this.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, this.#buffer.length * 2));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return place;
  }
}
