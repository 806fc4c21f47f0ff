// The folder of a checkpoint for plugins: JSON, text and tensors by name. @lmflow/sdk/files writes
// the folder as a whole.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '@lmflow/sdk';
import { readWhole, writeFileAtomic } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import { readSafetensors, writeSafetensors } from '@lmflow/sdk/formats';

/** The `Checkpoint` that plugins get in onSave and onRestore. */
export class CheckpointFolder implements Checkpoint {
  readonly kind: Checkpoint['kind'];
  readonly directory: string;
  readonly step: number;
  readonly model: Model;

  constructor(kind: Checkpoint['kind'], directory: string, step: number, model: Model) {
    this.kind = kind;
    this.directory = directory;
    this.step = step;
    this.model = model;
  }

  async writeJson(file: string, value: unknown): Promise<void> {
    await this.writeText(file, `${JSON.stringify(value, null, 2)}\n`);
  }

  async writeText(file: string, text: string): Promise<void> {
    await writeFileAtomic(join(this.directory, file), text);
  }

  async writeTensors(
    ...[file, tensors, metadata]: Parameters<Checkpoint['writeTensors']>
  ): Promise<void> {
    await writeSafetensors(join(this.directory, file), tensors, metadata);
  }

  async readText(file: string): Promise<string | undefined> {
    return await ifPresent(readWhole(join(this.directory, file), Infinity));
  }

  async readJson(file: string): Promise<unknown> {
    const text = await this.readText(file);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  async readTensors(file: string): ReturnType<Checkpoint['readTensors']> {
    const path = join(this.directory, file);
    return (await ifPresent(stat(path))) ? readSafetensors(path) : undefined;
  }
}

/** The promise's value, or undefined where the file or folder is absent. */
export async function ifPresent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return undefined;
    }
    throw error;
  }
}

/** SHA-256 of a file, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 22 })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
