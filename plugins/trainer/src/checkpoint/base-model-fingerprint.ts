// Which base model a run started from, cheaply: its figures, its table of tensors, and a few
// numbers of each.
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { floatWeight, type Model } from '@lmflow/sdk/model';

/** Bytes looked at in the middle of each tensor. */
const SAMPLE = 64;

/** Hash that tells two base models apart, also where they have one architecture. */
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
