// Converts frozen 16-bit weights into float32 files, once: sessions map them and share the page cache.
// Otherwise the runtime folds their Cast into a private float32 copy in each session.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from '@lmflow/sdk';
import {
  cacheFolder,
  cacheUnwritable,
  SOURCE_NOTE,
  markUsed,
  noteSource,
  writeFileInParts,
  type FileWriter,
  type Unwritable,
} from '@lmflow/sdk/files';
import { fromBfloat16, fromFloat16 } from '@lmflow/sdk/formats';
import { sizeOf, type FileWeight, type WeightSource } from '@lmflow/sdk/graph';
import { weightUnreadable } from '../errors.ts';
import { fileFacts } from './external-files.ts';

/** How frozen 16-bit weights become float32: in files (`cached`) or at every use (`cast`). */
export interface HalfOptions {
  readonly halfWeights: 'cached' | 'cast';
  readonly cacheDir?: string | undefined;
}

interface Conversion {
  readonly from: FileWeight;
  readonly to: string;
}

/** Bytes of 16-bit numbers converted at a time. */
const PIECE = 4 << 20;

/** The 16-bit weights of one program. */
export class HalfWeights {
  readonly #options: HalfOptions;
  readonly #log: Logger | undefined;
  readonly #pending = new Map<string, Conversion>();
  readonly #folders = new Map<string, string>();

  constructor(options: HalfOptions, log?: Logger) {
    this.#options = options;
    this.#log = log;
  }

  /**
   * The float32 file of a 16-bit weight, which `convert()` writes; undefined where the weight stays
   * as it is.
   */
  widened(weight: WeightSource): FileWeight | undefined {
    if (
      this.#options.halfWeights !== 'cached' ||
      weight.kind !== 'file' ||
      !/^b?float16$/.test(weight.dtype)
    ) {
      return undefined;
    }
    const to = join(
      this.#folder(weight.path),
      `${weight.offset}-${weight.byteLength}-${weight.dtype}.f32`,
    );
    if (!existsSync(to)) this.#pending.set(to, { from: weight, to });
    return {
      kind: 'file',
      path: to,
      offset: 0,
      byteLength: sizeOf(weight.shape) * 4,
      dtype: 'float32',
      shape: weight.shape,
    };
  }

  /** Writes the float32 files that are not there yet. Throws LMFLOW_ENGINE_WEIGHT_UNREADABLE. */
  async convert(): Promise<void> {
    for (const folder of this.#folders.values()) await markUsed(join(folder, SOURCE_NOTE));
    const conversions = [...this.#pending.values()];
    if (conversions.length === 0) return;
    const bytes = conversions.reduce((total, { from }) => total + 2 * from.byteLength, 0);
    const megabytes = (bytes / 1e6).toFixed(0);
    const folder = dirname(dirname(conversions[0]!.to));
    this.#log?.info(
      `converting ${conversions.length} 16-bit weights to float32, once (${megabytes} MB in ${folder})`,
    );
    for (const conversion of conversions) await widenInto(conversion);
    this.#pending.clear();
  }

  // A changed file gets a new folder, so a stale conversion is never used.
  #folder(path: string): string {
    const known = this.#folders.get(path);
    if (known) return known;
    const { size, mtimeMs } = fileFacts(path);
    const key = createHash('sha256')
      .update(`${resolve(path)}\0${size}\0${mtimeMs}`)
      .digest('hex')
      .slice(0, 32);
    const folder = join(this.#options.cacheDir ?? cacheFolder('engine-onnx'), key);
    this.#folders.set(path, folder);
    return folder;
  }
}

async function widenInto({ from, to }: Conversion): Promise<void> {
  const folder = dirname(to);
  const unwritable: Unwritable = (_, cause) =>
    cacheUnwritable(dirname(folder), cause, 'engineOnnx.cacheDir');
  const source = await open(from.path, 'r').catch((error: unknown) => {
    throw weightUnreadable(from.path, error);
  });
  try {
    await noteSource(folder, from.path, unwritable);
    await writeFileInParts(to, (target) => widen(source, target, from), { unwritable });
  } finally {
    await source.close();
  }
}

async function widen(
  source: FileHandle,
  target: FileWriter,
  { path, offset, byteLength, dtype }: FileWeight,
): Promise<void> {
  const convert = dtype === 'bfloat16' ? fromBfloat16 : fromFloat16;
  const halves = new Uint16Array(PIECE / 2);
  const singles = new Float32Array(PIECE / 2);
  for (let done = 0; done < byteLength; done += PIECE) {
    const length = Math.min(PIECE, byteLength - done);
    const bytes = new Uint8Array(halves.buffer, 0, length);
    const { bytesRead } = await source
      .read(bytes, 0, length, offset + done)
      .catch((error: unknown) => {
        throw weightUnreadable(path, error);
      });
    if (bytesRead !== length) {
      throw weightUnreadable(
        path,
        `the file ends inside a weight at byte ${offset + done + bytesRead}`,
      );
    }
    convert(halves.subarray(0, length / 2), singles);
    await target.write(new Uint8Array(singles.buffer, 0, length * 2));
  }
}
