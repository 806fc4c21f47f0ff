// Compares a GGUF file that was written with what was to be in it: every key, every tensor's name,
// shape, type and place, and the numbers of one block of each type.
import { messageOf } from '@lmflow/sdk';
import { writtenDiffers } from '../errors.ts';
import type { GgufTensor, List, Metadata, Scalar } from './file.ts';
import { byteLength } from './file.ts';
import { openGguf, type GgufFile } from './reader.ts';
import type { TensorType } from './types.ts';

/** At least this many numbers are compared, where the tensor has them. */
const COUNT = 256;

/** Numbers of a tensor as they are in the model. */
interface Sample {
  readonly tensor: string;
  /** The place of the first. */
  readonly from: number;
  readonly numbers: Float32Array;
}

/** Keeps the last numbers of the last tensor of each type whose numbers are not all the same. */
export class Samples {
  readonly #byType = new Map<TensorType, Sample>();

  take(tensor: string, type: TensorType, numbers: Float32Array): void {
    const from = Math.max(0, numbers.length - Math.max(type.block, COUNT));
    const kept = numbers.slice(from);
    if (this.#byType.has(type) && kept.every((number) => number === kept[0])) return;
    this.#byType.set(type, { tensor, from, numbers: kept });
  }

  [Symbol.iterator](): IterableIterator<[TensorType, Sample]> {
    return this.#byType[Symbol.iterator]();
  }
}

/** Throws LMFLOW_EXPORT_DIFFERS where the file is not what was to be written. */
export function checkGguf(
  path: string,
  metadata: Metadata,
  tensors: readonly GgufTensor[],
  samples: Samples,
): void {
  let file: GgufFile;
  try {
    file = openGguf(path);
  } catch (error) {
    throw writtenDiffers(path, messageOf(error));
  }
  try {
    checkMetadata(path, file, metadata);
    checkTensors(path, file, tensors);
    for (const [type, sample] of samples) checkNumbers(path, file, type, sample);
  } finally {
    file.close();
  }
}

function checkMetadata(path: string, { metadata: found }: GgufFile, wanted: Metadata): void {
  for (const [key, value] of wanted) {
    if (!found.has(key)) throw writtenDiffers(path, `the key ${key} is absent`);
    if (!sameValue(found.get(key), value)) {
      throw writtenDiffers(path, `the key ${key} has another value`);
    }
  }
  if (found.size !== wanted.size) {
    throw writtenDiffers(path, `it has ${found.size} keys, not ${wanted.size}`);
  }
}

function sameValue(found: unknown, wanted: Scalar | List): boolean {
  if ('list' in wanted) {
    const { list, values } = wanted;
    return (
      Array.isArray(found) &&
      found.length === values.length &&
      found.every((one, index) => Object.is(one, asWritten(list, values[index]!)))
    );
  }
  return Object.is(found, asWritten(wanted.type, wanted.value));
}

const asWritten = (type: string, value: number | string | boolean): unknown =>
  type === 'float32' ? Math.fround(value as number) : value;

function checkTensors(path: string, file: GgufFile, tensors: readonly GgufTensor[]): void {
  let end: number | undefined;
  for (const { name, shape, type } of tensors) {
    const found = file.tensors.get(name);
    if (!found) throw writtenDiffers(path, `${name} is absent`);
    if (found.shape.join() !== shape.join()) {
      throw writtenDiffers(
        path,
        `${name} is [${found.shape.join(', ')}], not [${shape.join(', ')}]`,
      );
    }
    if (found.type !== type) {
      throw writtenDiffers(path, `${name} has the type ${found.type.name}, not ${type.name}`);
    }
    // Each begins where the one before it ends, at the next multiple of 32.
    if (end !== undefined && found.start !== end) {
      throw writtenDiffers(path, `${name} begins at byte ${found.start}, not ${end}`);
    }
    end = Math.ceil((found.start + byteLength({ shape, type })) / 32) * 32;
  }
  if (file.tensors.size !== tensors.length) {
    throw writtenDiffers(path, `it has ${file.tensors.size} tensors, not ${tensors.length}`);
  }
  if (end !== undefined && file.size !== end) {
    throw writtenDiffers(path, `it has ${file.size} bytes, not ${end}`);
  }
}

function checkNumbers(
  path: string,
  file: GgufFile,
  type: TensorType,
  { tensor, from, numbers }: Sample,
): void {
  const found = file.numbers(file.tensors.get(tensor)!, from, numbers.length);
  for (let block = 0; block < numbers.length; block += type.block) {
    const source = numbers.subarray(block, block + type.block);
    const largest = source.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
    const allowed = type.share * largest + type.least;
    const place = source.findIndex((number, index) => {
      const read = found[block + index]!;
      return !Object.is(read, number) && !(Math.abs(read - number) <= allowed);
    });
    if (place < 0) continue;
    throw writtenDiffers(
      path,
      `number ${from + block + place} of ${tensor} (${type.name}) is ${found[block + place]}, ` +
        `not about ${source[place]}`,
    );
  }
}
