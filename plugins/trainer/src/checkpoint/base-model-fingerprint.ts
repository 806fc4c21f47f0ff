// A fingerprint of the base model that a run starts from: a hash of its architecture, its table of
// tensors, and a few numbers of each tensor. Cheap, so not a checksum of all numbers.
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { floatWeight, type Model } from '@lmflow/sdk/model';

/** Bytes that are read in the middle of each tensor. */
const SAMPLE = 64;

/** Differs between two base models, also of one architecture. */
export async function baseFingerprint(model: Model): Promise<string> {
  const { architecture, weights } = model;
  const hash = createHash('sha256').update(JSON.stringify(architecture));
  const files = new Map<string, FileHandle>();
  try {
    for (const name of weights.keys()) {
      const weight = floatWeight(model, name);
      hash.update(`${name} ${weight.dtype} ${weight.shape.join()}`);
      if (weight.kind === 'memory') {
        const { buffer, byteOffset, byteLength } = weight.data;
        const middle = byteOffset + Math.floor(byteLength / 2);
        hash.update(
          new Uint8Array(buffer, middle, Math.min(SAMPLE, byteOffset + byteLength - middle)),
        );
        continue;
      }
      const file = files.get(weight.path) ?? (await open(weight.path));
      files.set(weight.path, file);
      const { bytesRead, buffer } = await file.read(
        Buffer.alloc(Math.min(SAMPLE, weight.byteLength)),
        0,
        undefined,
        weight.offset + Math.floor(weight.byteLength / 2),
      );
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    for (const file of files.values()) await file.close();
  }
  return hash.digest('hex').slice(0, 16);
}
