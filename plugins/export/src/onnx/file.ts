// The data files of an exported model (model.onnx_data, model.onnx_data_1, ...): where each tensor
// is, and the writing, one tensor at a time. Not the graph's file.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { BYTES, sizeOf } from '@lmflow/sdk/graph';
import type { ExternalPlace, PortableTensor } from '@lmflow/plugin-engine-onnx';

/** Tensors below this size are written into the model file. */
const SMALL_BYTES = 1024;
/** Large tensors start at a page, so that a reader can map them. */
const alignment = (length: number): number => (length < 1 << 16 ? 64 : 4096);
/** Browsers have no array beyond 2 GB. */
export const FILE_BYTES = 2_000_000_000;

export interface Layout {
  readonly places: ReadonlyMap<string, ExternalPlace>;
  readonly files: readonly string[];
}

/** Gives every large tensor a place; starts a new file before one grows beyond `limit` bytes. */
export function layOut(tensors: readonly PortableTensor[], model: string, limit: number): Layout {
  const places = new Map<string, ExternalPlace>();
  const files: string[] = [];
  let end = Infinity;
  for (const { name, dtype, shape, source } of tensors) {
    const length = sizeOf(shape) * BYTES[dtype];
    if (source instanceof Uint8Array && length < SMALL_BYTES) continue;
    let offset = Math.ceil(end / alignment(length)) * alignment(length);
    if (files.length === 0 || (offset > 0 && offset + length > limit)) {
      files.push(`${model}_data${files.length === 0 ? '' : `_${files.length}`}`);
      offset = 0;
    }
    places.set(name, { location: files.at(-1)!, offset, length });
    end = offset + length;
  }
  return { places, files };
}

/** Writes the files; `read` gives a tensor's bytes. */
export async function writeData(
  directory: string,
  tensors: readonly PortableTensor[],
  { places, files }: Layout,
  read: (tensor: PortableTensor) => Promise<Uint8Array>,
): Promise<void> {
  for (const name of files) {
    const file = await open(join(directory, name), 'wx');
    try {
      for (const tensor of tensors) {
        const place = places.get(tensor.name);
        if (place?.location !== name) continue;
        const bytes = await read(tensor);
        if (bytes.byteLength !== place.length) {
          throw new Error(`${tensor.name} has ${bytes.byteLength} bytes, not ${place.length}`);
        }
        for (let written = 0; written < bytes.byteLength;) {
          written += (
            await file.write(
              bytes,
              written,
              Math.min(bytes.byteLength - written, 1 << 30),
              place.offset + written,
            )
          ).bytesWritten;
        }
      }
    } finally {
      await file.close();
    }
  }
}
