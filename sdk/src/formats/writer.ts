// Writing safetensors files tensor by tensor, so that a large checkpoint is never held whole. Code of
// ours: no maintained package for Node writes the format.
import { writeFileInParts } from '../files/index.ts';
import { sizeOf, type Shape, type TypedArray } from '../graph/index.ts';
import { SAFETENSORS_DTYPES, type SafetensorsDtype } from './dtypes.ts';
import { safetensorsData } from './errors.ts';

/**
 * A tensor to write. `data` may be a function, called when the tensor's turn comes and forgotten
 * after.
 */
export interface TensorToWrite {
  readonly shape: Shape;
  /** Default F32. F16 and BF16 take their bits in a Uint16Array. */
  readonly dtype?: SafetensorsDtype;
  readonly data: TypedArray | (() => Promise<TypedArray>);
}

/** What Hugging Face's libraries write and look for. */
export const METADATA = { format: 'pt' };

/** Tensors of one size of elements are by name, or as they are given. */
export type TensorOrder = 'name' | 'given';

/**
 * Writes `tensors` to `path` in Hugging Face's layout (largest element type first, then by name;
 * header padded to 8 bytes). The file appears when it is complete. Throws LMFLOW_SAFETENSORS_DATA
 * where a tensor does not fit its shape, LMFLOW_OUTPUT_UNWRITABLE.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, TensorToWrite]>,
  metadata: Readonly<Record<string, string>> = METADATA,
  order: TensorOrder = 'name',
): Promise<void> {
  const entries = [...tensors].map(([name, tensor]) => ({ name, tensor, ...layout(tensor) }));
  const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
    Number(a.name > b.name) - Number(a.name < b.name);
  entries.sort((a, b) => b.elementBytes - a.elementBytes || (order === 'given' ? 0 : byName(a, b)));
  await writeFileInParts(path, async (file) => {
    await file.write(headerBytes(entries, metadata));
    for (const { name, tensor, byteLength, elementBytes } of entries) {
      const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
      if (data.byteLength !== byteLength) {
        throw safetensorsData(
          path,
          name,
          byteLength / elementBytes,
          data.byteLength / elementBytes,
        );
      }
      await file.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}

interface Entry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: Shape;
  readonly byteLength: number;
}

function layout(tensor: TensorToWrite): {
  dtype: SafetensorsDtype;
  shape: Shape;
  elementBytes: number;
  byteLength: number;
} {
  const dtype = tensor.dtype ?? 'F32';
  const elementBytes = SAFETENSORS_DTYPES[dtype].bytes;
  return {
    dtype,
    shape: tensor.shape,
    elementBytes,
    byteLength: elementBytes * sizeOf(tensor.shape),
  };
}

function headerBytes(
  entries: readonly Entry[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let offset = 0;
  const rows = entries.map(({ name, dtype, shape, byteLength }): [string, unknown] => {
    const start = offset;
    offset += byteLength;
    return [name, { dtype, shape, data_offsets: [start, offset] }];
  });
  // Built as text: a tensor named like an integer would move to the front of an object.
  const fields = [['__metadata__', metadata] as const, ...rows].map(
    ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}
