// Delta weights: tuned - base, published where the base's licence forbids publishing the tuned
// model (as Vicuna's and LMFlow's were), and base + delta. The delta is a checkpoint like any
// other; delta.json has checksums, delta_exact.safetensors the numbers that base + delta rounds
// wrongly.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join, resolve as resolvePath } from 'node:path';
import { MODELS, MODEL_WRITER, type CommandInvocation, type Resolve } from '@lmflow/sdk';
import { checkComplete } from '@lmflow/plugin-models';
import { readWhole, writeFolder } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import {
  readSafetensors,
  writeSafetensors,
  type TensorFile,
  type TensorToWrite,
} from '@lmflow/sdk/formats';
import { z } from 'zod';
import { parseSize } from './byte-sizes.ts';
import { deltaDamaged, deltaInvalid, deltaMismatch, deltaOtherBase, deltaUsage } from './errors.ts';
import { configuredOutput, type Services } from './merge.ts';

const MANIFEST = 'delta.json';
const EXACT = 'delta_exact.safetensors';

export const deltaOptions = z.object({
  maxShardSize: z
    .string()
    .default('5GB')
    .describe('Largest safetensors file; a larger model is split (200MB, 5GB, 1GiB, or bytes).'),
});

export interface DeltaResult {
  readonly outputDir: string;
  readonly tensors: number;
  /**
   * make: numbers stored apart from the delta, because base + delta rounds to another number.
   */
  readonly corrections?: number;
  /** apply: whether the delta has checksums, which agree. */
  readonly checked?: boolean;
}

interface Manifest {
  readonly format: 'lmflow-delta';
  readonly version: 1;
  readonly base: string;
  readonly tuned: string;
  /** SHA-256 of each tensor's float32 numbers in base and tuned model. */
  readonly tensors: Readonly<
    Record<
      string,
      { readonly shape: readonly number[]; readonly base: string; readonly tuned: string }
    >
  >;
}

/** `lmflow delta make <base> <tuned>` and `lmflow delta apply <base> <delta>`. */
export async function delta(
  { resolve, log }: Services,
  { config, options, positionals, signal }: CommandInvocation<z.output<typeof deltaOptions>>,
): Promise<DeltaResult> {
  const [action, baseName, otherName] = positionals;
  if (positionals.length !== 3 || (action !== 'make' && action !== 'apply')) {
    throw deltaUsage(positionals);
  }
  const shardBytes = parseSize(options.maxShardSize);
  const outputDir = configuredOutput('delta', config);
  const [base, other] = [
    await load(resolve, baseName!, signal),
    await load(resolve, otherName!, signal),
  ];
  for (const model of [base, other]) checkComplete(model);
  checkShapes(base, other);
  const write =
    (model: Model) =>
    (directory: string): Promise<readonly string[]> =>
      resolve(MODEL_WRITER).write(model, directory, { shardBytes });
  if (action === 'make') {
    const corrections = await writeFolder(outputDir, (directory) =>
      make(base, other, directory, write, signal),
    );
    const tensors = other.weights.size;
    log.event(
      'delta',
      { outputDir, tensors, corrections },
      `${otherName!} - ${baseName!} is in ${outputDir}: ${tensors} tensors, ` +
        `${corrections} numbers stored apart to be exact`,
    );
    return { outputDir, tensors, corrections };
  }
  const manifest = await readManifest(other.folder);
  if (!manifest) {
    log.warn(
      `${other.folder} has no ${MANIFEST}, so only shapes are compared: ` +
        `${baseName!} may not be the base of this delta`,
    );
  }
  await writeFolder(outputDir, (directory) =>
    apply(base, other, manifest, directory, write, signal),
  );
  const [tensors, checked] = [base.weights.size, manifest !== undefined];
  log.event(
    'delta',
    { outputDir, tensors, checked },
    `${baseName!} + ${otherName!} is in ${outputDir}: ${tensors} tensors` +
      (checked ? ', checksums of base and result agree' : ''),
  );
  return { outputDir, tensors, checked };
}

// As a reference, so that no adapter is added.
function load(resolve: Resolve, source: string, signal: AbortSignal): Promise<Model> {
  return resolve(MODELS).load({ role: 'reference', purpose: 'inference', source, signal });
}

function checkShapes(base: Model, other: Model): void {
  for (const name of new Set([...base.weights.keys(), ...other.weights.keys()])) {
    const [first, second] = [base.weights.get(name)?.shape, other.weights.get(name)?.shape];
    if (!first || !second || first.join() !== second.join()) {
      throw deltaMismatch(base.source, other.source, name, first, second);
    }
  }
}

type Write = (model: Model) => (directory: string) => Promise<readonly string[]>;

async function make(
  base: Model,
  tuned: Model,
  directory: string,
  write: Write,
  signal: AbortSignal,
): Promise<number> {
  const tensors: Record<string, Manifest['tensors'][string]> = {};
  const exact: [string, TensorToWrite][] = [];
  let corrections = 0;
  await write({
    ...tuned,
    read: async (name) => {
      signal.throwIfAborted();
      const [from, to] = [await base.read(name), await tuned.read(name)];
      tensors[name] = {
        shape: tuned.weights.get(name)!.shape,
        base: digest(from),
        tuned: digest(to),
      };
      const difference = to.map((number, index) => number - from[index]!);
      const wrong = [...inexact(from, difference, to)];
      corrections += wrong.length;
      if (wrong.length > 0) {
        // Two numbers per place, since readers convert them to float32.
        exact.push([
          `${name}.places`,
          {
            shape: [wrong.length, 2],
            dtype: 'I32',
            data: Int32Array.from(
              wrong.flatMap((place) => [Math.floor(place / 65536), place % 65536]),
            ),
          },
        ]);
        exact.push([
          `${name}.values`,
          { shape: [wrong.length], data: Float32Array.from(wrong, (place) => to[place]!) },
        ]);
      }
      return difference;
    },
  })(directory);
  if (exact.length > 0) await writeSafetensors(join(directory, EXACT), exact);
  const manifest: Manifest = {
    format: 'lmflow-delta',
    version: 1,
    base: published(base),
    tuned: published(tuned),
    tensors,
  };
  await writeFile(join(directory, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return corrections;
}

// A path would publish the folders of its owner.
function published({ source }: Model): string {
  return existsSync(source) ? basename(resolvePath(source)) : source;
}

/**
 * Places where base + difference, rounded to float32, is not the tuned number: the difference is
 * much larger than that number.
 */
function* inexact(
  base: Float32Array,
  difference: Float32Array,
  tuned: Float32Array,
): Generator<number> {
  for (let place = 0; place < base.length; place++) {
    if (!Object.is(Math.fround(base[place]! + difference[place]!), tuned[place]!)) yield place;
  }
}

async function apply(
  base: Model,
  changes: Model,
  manifest: Manifest | undefined,
  directory: string,
  write: Write,
  signal: AbortSignal,
): Promise<void> {
  const exact = manifest
    ? await readSafetensors(join(changes.folder, EXACT)).catch(ifAbsent)
    : undefined;
  await write({
    ...changes,
    read: async (name) => {
      signal.throwIfAborted();
      const [from, difference] = [await base.read(name), await changes.read(name)];
      const known = manifest?.tensors[name];
      if (manifest && digest(from) !== known?.base) {
        throw deltaOtherBase(base.source, manifest.base, name);
      }
      const result = from.map((number, index) => number + difference[index]!);
      if (exact) correct(name, result, exact, changes.folder);
      if (known && digest(result) !== known.tuned) throw deltaDamaged(changes.source, name);
      return result;
    },
  })(directory);
}

function correct(name: string, result: Float32Array, exact: TensorFile, folder: string): void {
  const [places, values] = [exact.get(`${name}.places`)?.data, exact.get(`${name}.values`)?.data];
  if (!places && !values) return;
  if (places?.length !== 2 * (values?.length ?? -1)) {
    throw deltaInvalid(
      join(folder, EXACT),
      `has another number of places than of values for ${name}`,
    );
  }
  for (const [index, value] of values!.entries()) {
    result[places[2 * index]! * 65536 + places[2 * index + 1]!] = value;
  }
}

// A delta without corrections has no such file; a damaged one is an error.
function ifAbsent(error: unknown): undefined {
  const { cause } = error as { cause?: { code?: string } };
  if (cause?.code === 'ENOENT') return undefined;
  throw error;
}

function digest(numbers: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
    .digest('hex');
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = join(folder, MANIFEST);
  const text = await readWhole(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw deltaInvalid(file, `cannot be read: ${error.message}`);
  });
  if (text === undefined) return undefined;
  const entry = z.object({ shape: z.array(z.number()), base: z.string(), tuned: z.string() });
  const schema = z.object({
    format: z.literal('lmflow-delta'),
    version: z.literal(1),
    base: z.string(),
    tuned: z.string(),
    tensors: z.record(z.string(), entry),
  });
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw deltaInvalid(file, `is not what lmflow delta make writes: ${(error as Error).message}`);
  }
}
