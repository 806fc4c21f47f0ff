// The weights of a folder: found, opened (headers only), and checked one by one against what the
// architecture has.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SafetensorsFile, isSafetensorsDtype, openShards } from '@lmflow/sdk/formats';
import { sameShape, type ModelWeight, type Shape, type WeightSource } from '@lmflow/sdk/graph';
import type { Blueprint } from '../architecture/blueprint.ts';
import type { Found } from './found-tensor.ts';
import { packedTensors, readParts, type Packing } from './packing.ts';
import {
  checkpointMissing,
  checkpointPickle,
  tensorDtype,
  tensorShape,
  tensorTwice,
  tensorsMissing,
  tensorsUnexpected,
} from '../errors.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** Files that hold weights as Python pickles. */
export function isPickle(file: string): boolean {
  return (
    (/\.(bin|pt|pth|pkl|ckpt)$/.test(file) &&
      !/^(training_args|optimizer|scheduler|rng_state)/.test(file)) ||
    file === 'pytorch_model.bin.index.json'
  );
}

/**
 * Opens model.safetensors, or the shards of its index; throws LMFLOW_CHECKPOINT_* where there is
 * neither.
 */
export async function openCheckpoint(folder: string): Promise<SafetensorsFile[]> {
  const files = (await readdir(folder)).sort();
  if (files.includes(SINGLE)) return [await SafetensorsFile.open(join(folder, SINGLE))];
  if (files.includes(INDEX)) return openShards(folder, INDEX);
  const pickles = files.filter(isPickle);
  if (pickles.length > 0) throw checkpointPickle(folder, pickles);
  throw checkpointMissing(folder, files);
}

/** A checkpoint that fits its architecture. */
export interface Checkpoint {
  /**
   * By the names of the whole model (`transformer.h.0...`, also where the file leaves the prefix
   * out).
   */
  readonly weights: Map<string, ModelWeight>;
  /** The file has an output head beside a tied embedding, and their numbers may differ. */
  readonly duplicateHead: boolean;
}

/**
 * Checks every tensor: one that is missing, unexpected, of the wrong shape or not floating point is
 * an error naming it (LMFLOW_TENSOR_MISSING, _UNEXPECTED, _SHAPE, _DTYPE). Buffers that old
 * checkpoints carry are passed over. `packings`: by weight, of those that are stored in a few bits.
 * `freshHead` is a classifier's in place of the head that the files have.
 */
export async function readCheckpoint(
  folder: string,
  files: readonly SafetensorsFile[],
  blueprint: Blueprint,
  packings: ReadonlyMap<string, Packing>,
  freshHead?: WeightSource,
): Promise<Checkpoint> {
  const { family, architecture } = blueprint;
  const found = byFullName(files, blueprint);
  const head = `${family.names.head}.weight`;
  const duplicateHead = architecture.tiedEmbeddings && found.has(head);
  const wanted = new Map(blueprint.tensors);
  if (freshHead) {
    // the head for tokens stays in its file
    found.delete(head);
    wanted.delete(blueprint.head.weight);
  }
  if (duplicateHead) wanted.set(head, [architecture.vocabularySize, architecture.hiddenSize]);
  checkNames(folder, blueprint, found, expectedTensors(wanted, packings));
  const weights = new Map<string, ModelWeight>();
  for (const [name, shape] of wanted) {
    const packing = packings.get(name);
    weights.set(
      name,
      packing
        ? await readParts(name, shape, packing, found)
        : await weightAt(found.get(name)!, shape),
    );
  }
  if (freshHead) weights.set(blueprint.head.weight, freshHead);
  return { weights, duplicateHead };
}

/** Names and shapes of the tensors in the files: a packed weight is several. */
function expectedTensors(
  wanted: ReadonlyMap<string, Shape>,
  packings: ReadonlyMap<string, Packing>,
): Map<string, Shape> {
  return new Map(
    [...wanted].flatMap(([name, shape]) => {
      const packing = packings.get(name);
      return packing ? packedTensors(name, shape, packing) : [[name, shape] as const];
    }),
  );
}

/** Throws where an expected tensor is missing, or one is there that is not expected. */
function checkNames(
  folder: string,
  { family }: Blueprint,
  found: ReadonlyMap<string, Found>,
  expected: ReadonlyMap<string, Shape>,
): void {
  const missing = [...expected]
    .filter(([name]) => !found.has(name))
    .map(([name, shape]) => ({ name, shape }));
  const unexpected = [...found]
    .filter(([name]) => !expected.has(name))
    .map(([name, place]) => ({ name, shape: entryOf(place).shape }));
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name);
    const hint = missingHint(names, unexpected, `${family.names.head}.weight`);
    throw tensorsMissing(folder, missing, hint);
  }
  if (unexpected.length > 0) throw tensorsUnexpected(folder, family.name, unexpected);
}

/** The weight in its file where that can be mapped, otherwise read. */
async function weightAt(place: Found, shape: Shape): Promise<ModelWeight> {
  const { file, stored } = place;
  const { dtype, shape: actual } = entryOf(place);
  if (!sameShape(shape, actual)) throw tensorShape(file.path, stored, shape, actual);
  if (!isSafetensorsDtype(dtype) || !['F32', 'F16', 'BF16', 'F64'].includes(dtype)) {
    throw tensorDtype(file.path, stored, dtype);
  }
  return (
    file.weightSource(stored) ?? {
      kind: 'memory',
      dtype: 'float32',
      shape,
      data: await file.read(stored),
    }
  );
}

function entryOf({ file, stored }: Found): {
  readonly dtype: string;
  readonly shape: readonly number[];
} {
  return file.tensors.get(stored)!;
}

function byFullName(
  files: readonly SafetensorsFile[],
  { family, tensors, head: own }: Blueprint,
): Map<string, Found> {
  const found = new Map<string, Found>();
  const { prefix, head } = family.names;
  const heads = [`${head}.`, `${own.name}.`];
  // A checkpoint of the bare model (as the first GPT-2 files are) leaves the prefix out everywhere.
  const bare = !files.some((file) =>
    [...file.tensors.keys()].some((name) => name.startsWith(prefix)),
  );
  for (const file of files) {
    for (const stored of file.tensors.keys()) {
      const name =
        bare && !heads.some((start) => stored.startsWith(start)) ? prefix + stored : stored;
      if (family.ignored.some((pattern) => pattern.test(name)) && !tensors.has(name)) continue;
      const first = found.get(name);
      if (first) throw tensorTwice(name, first.file.path, file.path);
      found.set(name, { file, stored });
    }
  }
  return found;
}

function missingHint(
  missing: readonly string[],
  unexpected: readonly { readonly name: string }[],
  head: string,
): string | undefined {
  if (missing.length === 1 && missing[0] === head) {
    return 'If its head shares the embedding\'s weights, config.json needs "tie_word_embeddings": true.';
  }
  if (unexpected.length > 0) {
    return `It has other tensors instead: ${unexpected
      .slice(0, 3)
      .map(({ name }) => `"${name}"`)
      .join(', ')}${unexpected.length > 3 ? ', ...' : ''}`;
  }
  return undefined;
}
