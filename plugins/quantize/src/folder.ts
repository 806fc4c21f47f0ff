// A quantized model as a folder of its own, in the format pack-quantized of the library
// compressed-tensors, which transformers and vLLM read
// (https://github.com/vllm-project/compressed-tensors). Reading it: plugin models finds the
// weights, packed.ts computes with them.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model } from '@lmflow/sdk/model';
import {
  readBytes,
  writeCheckpoint,
  type SafetensorsDtype,
  type TensorToWrite,
} from '@lmflow/sdk/formats';
import type { DType, TypedArray } from '@lmflow/sdk/graph';
import { blockSizes, type Quantized, type Scheme } from './blocks.ts';
import { layoutUnfit } from './errors.ts';
import { groupsOf, quantizeMatrix } from './form.ts';
import type { Matrix } from './matrices.ts';

export interface FolderRequest {
  readonly model: Model;
  /** What is quantized: columns are whole blocks. */
  readonly matrices: readonly Matrix[];
  /** Which of them is the head, by name. */
  readonly head: string | undefined;
  /** Module path of this family's head. */
  readonly headName: string;
  /** The tokenizer's files. */
  readonly tokenizer: ReadonlyMap<string, string | Uint8Array>;
  readonly signal: AbortSignal;
  /** Hears how many matrices are written. */
  readonly done: (matrices: number) => void;
}

const TYPES: Partial<Record<DType, SafetensorsDtype>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
};

/**
 * Writes into an empty folder; gives the names of the files. Everything but the matrices is copied
 * as it is. Throws LMFLOW_QUANTIZE_LAYOUT for a family whose linears the format does not have.
 */
export async function writeQuantized(
  request: FolderRequest,
  directory: string,
): Promise<readonly string[]> {
  const { model, tokenizer } = request;
  const transposed = request.matrices.find(({ layout }) => layout !== 'out-in');
  if (transposed) throw layoutUnfit(model.source, transposed.name, model.architecture.family);
  const files = await writeCheckpoint(directory, tensorsOf(request), undefined, 'given');
  const texts = new Map<string, string | Uint8Array>([
    ['config.json', json(savedConfig(request))],
    ...(model.generationConfig
      ? [['generation_config.json', json(model.generationConfig)] as const]
      : []),
    ...tokenizer,
  ]);
  for (const [name, content] of texts) await writeFile(join(directory, name), content);
  return [...files, ...texts.keys()];
}

/**
 * The module that a matrix is in the folder: a tied head becomes one of its own, and the embedding
 * stays what it is.
 */
function moduleOf(
  { head, headName }: Pick<FolderRequest, 'head' | 'headName'>,
  { name }: Matrix,
): string {
  return name === head ? headName : name;
}

/** The tensors of the folder, each with the function that computes or reads it when written. */
function* tensorsOf(request: FolderRequest): Generator<readonly [string, TensorToWrite]> {
  let written = 0;
  for (const group of groupsOf(request.model, request.matrices)) {
    yield* tensorsOfGroup(request, group, () => request.done((written += 1)));
  }
  yield* tensorsAsTheyAre(request);
}

/**
 * Matrices that are read with one input lie together, codes and scales apart, so that their product
 * can be one without copies. Calls `done` after each; a group's scales are the last to be computed.
 */
function* tensorsOfGroup(
  request: FolderRequest,
  group: readonly Matrix[],
  done: () => void,
): Generator<readonly [string, TensorToWrite]> {
  const quantized = new Map<Matrix, Promise<Quantized>>();
  const of = (matrix: Matrix): Promise<Quantized> => {
    request.signal.throwIfAborted();
    const known =
      quantized.get(matrix) ??
      request.model.read(matrix.weight).then((numbers) => quantizeMatrix(numbers, matrix));
    quantized.set(matrix, known);
    return known;
  };
  const named = group.map((matrix) => ({
    matrix,
    name: `${moduleOf(request, matrix)}.weight`,
    groups: blockSizes(matrix.inFeatures, matrix.scheme).blocks,
  }));
  for (const { matrix, name } of named) {
    const shape = [matrix.outFeatures, words(matrix.inFeatures, matrix.scheme)];
    yield [`${name}_packed`, { shape, dtype: 'I32', data: async () => (await of(matrix)).packed }];
  }
  for (const { matrix, name, groups } of named) {
    if (matrix.scheme.symmetric) continue;
    const shape = [words(matrix.outFeatures, matrix.scheme), groups];
    const data = async (): Promise<Int32Array> => zeroWords(await of(matrix), matrix);
    yield [`${name}_zero_point`, { shape, dtype: 'I32', data }];
  }
  for (const { matrix, name, groups } of named) {
    const data = async (): Promise<Quantized['scales']> => {
      const { scales } = await of(matrix);
      done();
      if (matrix === group.at(-1)) quantized.clear();
      return scales;
    };
    yield [`${name}_scale`, { shape: [matrix.outFeatures, groups], data }];
  }
  for (const { matrix, name } of named) {
    const data = BigInt64Array.of(BigInt(matrix.outFeatures), BigInt(matrix.inFeatures));
    yield [`${name}_shape`, { shape: [2], dtype: 'I64', data }];
  }
}

/** Everything that no quantized matrix replaces. */
function* tensorsAsTheyAre(request: FolderRequest): Generator<readonly [string, TensorToWrite]> {
  const replaced = new Set(
    request.matrices
      .filter((matrix) => moduleOf(request, matrix) === matrix.name)
      .map(({ weight }) => weight),
  );
  for (const [name, weight] of request.model.weights) {
    if (replaced.has(name) || weight.kind === 'packed') continue;
    const { shape } = weight;
    const data = async (): Promise<TypedArray> =>
      weight.kind === 'memory' ? weight.data : readBytes(weight);
    yield [name, { shape, dtype: TYPES[weight.dtype]!, data }];
  }
}

const words = (codes: number, { bits }: Scheme): number => Math.ceil((codes * bits) / 32);

/** Zero points packed down the rows, int32 [words, groups], out of those of a row side by side. */
function zeroWords(
  { zeroPoints }: Quantized,
  { inFeatures, outFeatures, scheme }: Matrix,
): Int32Array {
  const { bits } = scheme;
  const { blocks, zeros } = blockSizes(inFeatures, scheme);
  const each = 32 / bits;
  const result = new Int32Array(words(outFeatures, scheme) * blocks);
  for (let row = 0; row < outFeatures; row++) {
    for (let block = 0; block < blocks; block++) {
      const code =
        bits === 8
          ? zeroPoints![row * zeros + block]!
          : (zeroPoints![row * zeros + (block >> 1)]! >> (block & 1 ? 4 : 0)) & 15;
      result[Math.floor(row / each) * blocks + block]! |= code << (bits * (row % each));
    }
  }
  return result;
}

function savedConfig(request: FolderRequest): Record<string, unknown> {
  const { model, matrices, head, headName } = request;
  const schemes = new Map<string, { readonly scheme: Scheme; readonly targets: string[] }>();
  for (const matrix of matrices) {
    const key = JSON.stringify(matrix.scheme);
    const known = schemes.get(key) ?? { scheme: matrix.scheme, targets: [] };
    schemes.set(key, known);
    // The class stands for the linears of the blocks that are like the first; names are stronger.
    const inBlocks = known === schemes.values().next().value ? 'Linear' : matrix.name;
    const target = matrix.name === head ? headName : inBlocks;
    if (!known.targets.includes(target)) known.targets.push(target);
  }
  const modules = new Set(matrices.map((matrix) => moduleOf(request, matrix)));
  const linears = new Set([...model.linears.map(({ name }) => name), headName]);
  const untied = matrices.some((matrix) => moduleOf(request, matrix) !== matrix.name);
  return {
    ...model.config,
    ...(untied ? { tie_word_embeddings: false } : {}),
    quantization_config: {
      quant_method: 'compressed-tensors',
      format: 'pack-quantized',
      quantization_status: 'compressed',
      config_groups: Object.fromEntries(
        [...schemes.values()].map(({ scheme: { bits, blockSize, symmetric }, targets }, index) => [
          `group_${index}`,
          {
            targets,
            weights: {
              num_bits: bits,
              type: 'int',
              symmetric,
              strategy: 'group',
              group_size: blockSize,
              dynamic: false,
            },
            input_activations: null,
            output_activations: null,
          },
        ]),
      ),
      ignore: [...linears].filter((name) => !modules.has(name)),
      kv_cache_scheme: null,
    },
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
