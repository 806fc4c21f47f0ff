// A checkpoint of one or several safetensors files: model.safetensors, or
// model.safetensors.index.json and its shards.
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { readWhole, writeFileAtomic } from '../files/index.ts';
import { sizeOf } from '../graph/index.ts';
import { SAFETENSORS_DTYPES } from './dtypes.ts';
import { safetensorsIndex, safetensorsShardMissing } from './errors.ts';
import { SafetensorsFile } from './reader.ts';
import { METADATA, writeSafetensors, type TensorOrder, type TensorToWrite } from './writer.ts';

/** The index of a sharded checkpoint: which file holds which tensor. */
export interface SafetensorsIndex {
  /** Tensor name -> file name in the index's folder. */
  readonly weightMap: ReadonlyMap<string, string>;
  readonly shards: readonly string[];
}

/** Reads an index file; throws LMFLOW_SAFETENSORS_INDEX where it is malformed. */
export async function readSafetensorsIndex(path: string): Promise<SafetensorsIndex> {
  let json: unknown;
  try {
    json = JSON.parse(await readWhole(path));
  } catch (error) {
    throw safetensorsIndex(path, `it cannot be read as JSON (${messageOf(error)})`);
  }
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw safetensorsIndex(path, 'it has no "weight_map" object');
  }
  const entries = Object.entries(map as Record<string, unknown>);
  for (const [tensor, shard] of entries) {
    if (typeof shard !== 'string' || shard === '' || /[/\\]/.test(shard)) {
      throw safetensorsIndex(
        path,
        `weight_map["${tensor}"] is ${JSON.stringify(shard)}, not the name of a file beside it`,
      );
    }
  }
  const weightMap = new Map(entries as [string, string][]);
  return { weightMap, shards: [...new Set(weightMap.values())].sort() };
}

/**
 * Opens every shard of an index and checks that each tensor is where the index says; throws
 * LMFLOW_SAFETENSORS_SHARD_MISSING naming an absent file, LMFLOW_SAFETENSORS_INDEX naming a tensor
 * that its shard lacks.
 */
export async function openShards(
  folder: string,
  indexFile = 'model.safetensors.index.json',
): Promise<SafetensorsFile[]> {
  const path = join(folder, indexFile);
  const { weightMap, shards } = await readSafetensorsIndex(path);
  const files = new Map<string, SafetensorsFile>();
  for (const shard of shards) {
    const present = await access(join(folder, shard)).then(
      () => true,
      () => false,
    );
    if (!present) {
      throw safetensorsShardMissing(
        path,
        join(folder, shard),
        [...weightMap.values()].filter((name) => name === shard).length,
      );
    }
    files.set(shard, await SafetensorsFile.open(join(folder, shard)));
  }
  for (const [tensor, shard] of weightMap) {
    if (!files.get(shard)!.tensors.has(tensor)) {
      throw safetensorsIndex(
        path,
        `it says that "${tensor}" is in ${shard}, which does not have it`,
      );
    }
  }
  return [...files.values()];
}

/** Bytes of a shard, where nothing else is asked for: what transformers 4 wrote. */
const SHARD_BYTES = 5e9;

/**
 * Writes a checkpoint: one file, or shards of at most `shardBytes` with an index. The other form's
 * file, of an earlier checkpoint in the folder, is removed, since readers would take it. Gives the
 * names of the files written.
 */
export async function writeCheckpoint(
  folder: string,
  tensors: Iterable<readonly [string, TensorToWrite]>,
  shardBytes = SHARD_BYTES,
  order: TensorOrder = 'name',
): Promise<string[]> {
  const shards = split([...tensors], shardBytes);
  const index = 'model.safetensors.index.json';
  if (shards.length <= 1) {
    await writeSafetensors(join(folder, 'model.safetensors'), shards[0] ?? [], METADATA, order);
    await rm(join(folder, index), { force: true });
    return ['model.safetensors'];
  }
  const digits = (number: number): string => String(number).padStart(5, '0');
  const names = shards.map(
    (_, position) => `model-${digits(position + 1)}-of-${digits(shards.length)}.safetensors`,
  );
  for (const [position, shard] of shards.entries()) {
    await writeSafetensors(join(folder, names[position]!), shard, METADATA, order);
  }
  const weightMap = Object.fromEntries(
    shards.flatMap((shard, position) => shard.map(([name]) => [name, names[position]!])),
  );
  const all = shards.flat().map(([, tensor]) => tensor);
  const metadata = {
    total_parameters: all.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    total_size: all.reduce((sum, tensor) => sum + bytesOf(tensor), 0),
  };
  await writeFileAtomic(
    join(folder, index),
    `${JSON.stringify({ metadata, weight_map: weightMap }, undefined, 2)}\n`,
  );
  await rm(join(folder, 'model.safetensors'), { force: true });
  return [...names, index];
}

function bytesOf({ dtype = 'F32', shape }: TensorToWrite): number {
  return SAFETENSORS_DTYPES[dtype].bytes * sizeOf(shape);
}

function split(
  tensors: readonly (readonly [string, TensorToWrite])[],
  shardBytes: number,
): (readonly [string, TensorToWrite])[][] {
  const shards: (readonly [string, TensorToWrite])[][] = [];
  let room = 0;
  for (const entry of tensors) {
    const bytes = bytesOf(entry[1]);
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = shardBytes;
    }
    shards[shards.length - 1]!.push(entry);
    room -= bytes;
  }
  return shards;
}
